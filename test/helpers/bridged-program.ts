/**
 * A program whose stdin and stdout are bridged byte by byte to a Unix socket, so that a connection can be made to it.
 * What a test needs of it is `endpoint`.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import type { TemporaryFolder } from './temporary-folder.js'
import { endWithUs } from './with-us.js'

export class BridgedProgram {
  readonly endpoint: string
  readonly exited: Promise<unknown>
  readonly #server: net.Server
  readonly #child: ChildProcess

  static async start(folder: TemporaryFolder, args: readonly string[]): Promise<BridgedProgram> {
    const path = folder.socketPath()
    const server = net.createServer({ allowHalfOpen: true })
    const env = { ...process.env, NODE_OPTIONS: undefined }
    const child = endWithUs(spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'ignore'] }))
    server.once('connection', (socket) => {
      // Whichever side goes first, the other sees it from its stream.
      socket.on('error', () => undefined)
      child.stdin.on('error', () => undefined)
      socket.pipe(child.stdin)
      child.stdout.pipe(socket)
      // If the program's stdin is gone, the rest is not read, and the end of the socket would never be seen.
      child.stdin.once('close', () => socket.resume())
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    return new BridgedProgram(`unix:${path}`, server, child)
  }

  private constructor(endpoint: string, server: net.Server, child: ChildProcess) {
    this.endpoint = endpoint
    this.#server = server
    this.#child = child
    this.exited = once(child, 'exit')
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async stop(): Promise<void> {
    this.kill()
    await this.exited
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
