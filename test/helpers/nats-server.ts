/** A real nats-server of a test: on a free port, with its files in a temporary folder. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { makeTemporaryFolder } from './temporary-folder.js'

const isThere = spawnSync('nats-server', ['--version']).status === 0
const isRequired = process.env['SYMPHONY_TEST_NATS'] === 'required'

const withNats = isThere || isRequired ? test : test.skip

interface Needs {
  readonly watchdogMs: number
  /** Flags besides those for the port and the files; `--js` gives it JetStream. */
  readonly flags?: readonly string[]
}

/** A test with a server of its own: skipped where there is no nats-server, unless SYMPHONY_TEST_NATS is `required`. */
export function natsTest(
  title: string,
  { watchdogMs, flags = [] }: Needs,
  body: (t: ExecutionContext, server: NatsServer) => Promise<void>,
): void {
  withNats(title, async (t) => {
    t.timeout(watchdogMs)
    const server = await startNats(...flags)
    try {
      await body(t, server)
    } finally {
      await server.remove()
    }
  })
}

export interface NatsServer {
  readonly url: string
  /** At once, as `kill -9`. */
  kill(): Promise<void>
  /** Starts it again, at the same port and with the same files. */
  start(): Promise<void>
  /** Kills it and removes its files. */
  remove(): Promise<void>
}

export async function startNats(...flags: string[]): Promise<NatsServer> {
  const folder = await makeTemporaryFolder()
  let port = '-1'
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const args = ['-a', '127.0.0.1', '-p', port, '--store_dir', folder.path, ...flags]
    const started = spawn('nats-server', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    const said: string[] = []
    const lines = createInterface(started.stderr)
    for await (const line of lines) {
      said.push(line)
      port = /Listening for client connections on [\d.]+:(\d+)/.exec(line)?.[1] ?? port
      if (line.includes('Server is ready')) {
        started.stderr.resume()
        return
      }
    }
    throw new Error(`nats-server has ended:\n${said.join('\n')}`)
  }
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  await start()
  return {
    get url() {
      return `nats://127.0.0.1:${port}`
    },
    kill,
    start,
    async remove() {
      await kill()
      await folder.remove()
    },
  }
}
