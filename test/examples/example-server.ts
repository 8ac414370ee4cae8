/** A server of an example, in a process of its own, and what it prints. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 60_000

export const examplesFolder = join(root, 'examples')

export interface ExampleServer {
  /** Runs another program of the example to its end, which has to be a clean one. Returns what it printed. */
  readonly run: (program: string, ...args: readonly string[]) => Promise<readonly string[]>
  /** What it has printed since, once these are so many lines. */
  readonly said: (lines: number) => Promise<readonly string[]>
  /** Sends SIGTERM, and waits for its end. */
  readonly stop: () => Promise<{ readonly end: readonly unknown[]; readonly lines: readonly string[] }>
}

/** It has printed its first line, which says where it listens. */
export async function withServer(
  t: ExecutionContext,
  example: string,
  [program, ...args]: readonly [program: string, ...args: string[]],
  body: (server: ExampleServer) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = join(examplesFolder, example)
  const server = spawn(process.execPath, [join(folder, program), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const output = createInterface(server.stdout).on('line', (line) => lines.push(line))
  const ended = once(server, 'exit')
  const said = once(output, 'close')
  try {
    await once(output, 'line')
    t.regex(lines.join('\n'), /^listening on /)
    await body({
      run: async (client, ...more) => {
        const { end, stdout, stderr } = await runToEnd(
          process.execPath,
          [join(folder, client), ...more],
          root,
          WATCHDOG_MS,
        )
        t.deepEqual([end, stderr], [0, ''])
        return stdout.trimEnd().split('\n')
      },
      said: async (count) => {
        while (lines.length <= count) await once(output, 'line')
        return lines.slice(1)
      },
      stop: async () => {
        server.kill('SIGTERM')
        const end = await ended
        await said
        return { end, lines: lines.slice(1) }
      },
    })
  } finally {
    server.kill('SIGKILL')
    await ended
  }
}
