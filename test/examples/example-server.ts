/** A server of an example that is told to end in the middle of a test. */
import type { ExecutionContext } from 'ava'
import { runExample, startExample, type EndedServer } from './example.js'

const WATCHDOG_MS = 60_000

export interface ExampleServer {
  /** Runs another program of the example to its end, which has to be a clean one. Returns what it printed. */
  readonly run: (program: string, ...args: readonly string[]) => Promise<readonly string[]>
  /** What it has printed behind its first line, once these are so many lines. */
  readonly said: (lines: number) => Promise<readonly string[]>
  /** Sends SIGTERM, and waits for its end. */
  readonly stop: () => Promise<EndedServer>
}

/** It has printed its first line, which says where it listens. */
export async function serving(
  t: ExecutionContext,
  example: string,
  [program, ...args]: readonly [program: string, ...args: string[]],
  body: (server: ExampleServer) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const server = startExample(`${example}/${program}`, args)
  const lines: string[] = []
  try {
    t.regex(await server.next(), /^listening on /)
    await body({
      run: async (client, ...more) => {
        const { end, stdout, stderr } = await runExample(`${example}/${client}`, more, WATCHDOG_MS)
        t.deepEqual([end, stderr], [0, ''])
        return stdout.trimEnd().split('\n')
      },
      said: async (count) => {
        while (lines.length < count) lines.push(await server.next())
        return lines
      },
      stop: async () => {
        server.kill('SIGTERM')
        lines.push(...(await server.rest()))
        return { end: await server.ended, lines }
      },
    })
  } finally {
    server.kill('SIGKILL')
    await server.ended
  }
}
