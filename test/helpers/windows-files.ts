/** The part of the suite that is worth its time on Windows. */

/**
 * What meets the system: pipes, processes, threads, shared memory. What only computes (decoders, option schemas,
 * allocators, budgets) is the same on every platform, and Wine would only add its time. So are framings that a shard
 * translates; those of test/stdio/echo.test.ts go through pipes. Handlers on pipes stand for those at other addresses.
 */
export const windowsFiles: readonly string[] = [
  'test/contract/pipe.test.ts',
  'test/contract/local.test.ts',
  'test/contract/memory.test.ts',
  'test/contract/handled-pipe.test.ts',
  'test/contract/handled-listening-pipe.test.ts',
  'test/faults/memory-faults.test.ts',
  'test/faults/pipe-faults.test.ts',
  'test/faults/awaits.test.ts',
  'test/faults/boot.test.ts',
  'test/faults/given-up.test.ts',
  'test/stdio/anywhere.test.ts',
  'test/stdio/echo.test.ts',
  'test/exit/natural-exit.test.ts',
  'test/engine/protocol/bell.test.ts',
  'test/engine/protocol/copy.test.ts',
  'test/engine/protocol/ring.test.ts',
  'test/engine/protocol/torture.test.ts',
  'test/engine/connection/sender.test.ts',
  'test/workers/transports/child-pipes.test.ts',
  'test/api/pipes.test.ts',
  'test/api/shards.test.ts',
]

/** Test files by their sources' names, as AVA takes them: from the repository's root, built. */
export function builtFiles(sources: readonly string[]): readonly string[] {
  return sources.map((file) => file.replace(/^(?:\.\/)?test\//, 'dist/test/').replace(/\.ts$/, '.js'))
}
