/**
 * A real nats-server: on a free port of this machine, with its files in a temporary folder. It ends with this process,
 * however that ends: a shell holds a pipe from here, and kills the server once that is closed.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Whether it is installed: in Debian the package nats-server. */
export function hasNatsServer(): boolean {
  return spawnSync('nats-server', ['--version']).status === 0
}

const SHELL = 'nats-server "$@" & exec 2>&-; read -r _; kill -9 $!; wait $!'

export interface NatsServer {
  readonly url: string
  /** At once, as `kill -9`. */
  kill(): Promise<void>
  /** Starts it again, at the same port and with the same files. `more`: flags that go behind those it was made with. */
  start(...more: string[]): Promise<void>
  /** Kills it and removes its files. */
  remove(): Promise<void>
}

/** `flags`: besides those for the port and the files. */
export async function startNats(...flags: string[]): Promise<NatsServer> {
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'nats-'))
  let port = '-1'
  let child: ChildProcess | undefined
  const start = async (...more: string[]): Promise<void> => {
    const args = ['-a', '127.0.0.1', '-p', port, '--store_dir', folder, ...flags, ...more]
    const started = spawn('sh', ['-c', SHELL, 'sh', ...args], { stdio: ['pipe', 'ignore', 'pipe'] })
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
    if (child?.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.stdin?.end()
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
      await fs.rm(folder, { recursive: true, force: true })
    },
  }
}
