/** The example of the bridge to NATS does what its page says. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { natsTest } from '../helpers/nats-server.js'
import { randomName } from '../helpers/temporary-folder.js'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 120_000
const folder = join(root, 'examples', 'nats-bridge')

interface Program {
  readonly child: ChildProcess
  readonly lines: readonly string[]
  readonly ended: Promise<unknown>
}

/** Resolves with its first line. */
async function start(name: string, ...args: readonly string[]): Promise<Program> {
  const child = spawn(process.execPath, [join(folder, name), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const lines: string[] = []
  const output = createInterface(child.stdout).on('line', (line) => lines.push(line))
  await once(output, 'line')
  return { child, lines, ended }
}

natsTest(
  'nats-bridge: a client gets its answers from a server behind two bridges',
  { watchdogMs: WATCHDOG_MS },
  async (t, server) => {
    const [near, far] = [`local:${randomName()}`, `local:${randomName()}`]
    const programs = [await start('server.js', far)]
    try {
      programs.push(
        await start('bridge.js', 'dial', far, server.url),
        await start('bridge.js', 'listen', near, server.url),
      )
      const client = join(folder, 'client.js')
      const { end, stdout } = await runToEnd(process.execPath, [client, near, '500'], root, WATCHDOG_MS)
      t.deepEqual([end, stdout], [0, '500 answers, each once and in order\n'])
      for (const { child, ended } of programs.reverse()) {
        child.kill('SIGTERM')
        t.deepEqual(await ended, [0, null])
      }
      t.deepEqual(
        programs.map(({ lines }) => lines.at(-1)),
        [
          '500 frames handed over, 500 delivered, 0 packets sent again',
          '500 frames handed over, 500 delivered, 0 packets sent again',
          `listening on ${far}`,
        ],
      )
    } finally {
      for (const { child } of programs) child.kill('SIGKILL')
    }
  },
)
