/** One measured program in a separate process, with orders over IPC. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { FromSide, Order, Result, SideConfig } from './messages.js'

const program = fileURLToPath(new URL('../programs/side.js', import.meta.url))

/** Closing everything and ending takes some milliseconds. */
const MOST_STOP_MS = 20_000

export class SideProcess {
  readonly #child: ChildProcess
  readonly #inbox: FromSide[] = []
  #wake: (() => void) | undefined
  #exited = false
  #fallback: string | undefined

  private constructor(config: SideConfig, pinTo: string | undefined) {
    const args = [JSON.stringify(config)]
    const execPath = pinTo === undefined ? process.execPath : 'taskset'
    const execArgv = pinTo === undefined ? [] : ['-c', pinTo, process.execPath]
    this.#child = fork(program, args, { execPath, execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (message) => {
      this.#inbox.push(message as FromSide)
      this.#wake?.()
    })
    const end = (): void => {
      this.#exited = true
      this.#wake?.()
    }
    this.#child.once('exit', end)
    // It could not be started, or an order could not be sent: the process does not exist.
    this.#child.on('error', end)
  }

  static async start(config: SideConfig, pinTo?: string): Promise<SideProcess> {
    const side = new SideProcess(config, pinTo)
    side.#fallback = (await side.#next('ready')).fallback
    return side
  }

  /** Why connections that it dialled for shared memory go over their sockets; undefined: they do not. */
  get fallback(): string | undefined {
    return this.#fallback
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Gives an order and waits until the program has begun to carry it out. */
  async order(order: Order): Promise<void> {
    this.#child.send(order)
    await this.#next('armed')
  }

  async result<Kind extends Result['kind']>(kind: Kind): Promise<Extract<Result, { kind: Kind }>> {
    return await this.#next(kind)
  }

  /**
   * Ends the program and waits until it is gone; 0: its engine released everything. A program that does not end by
   * itself is killed, and counts as not having released everything.
   */
  async stop(): Promise<number | null> {
    if (this.#exited) return this.#child.exitCode
    const gone = new Promise<number | null>((resolve) => {
      this.#child.once('exit', resolve)
    })
    if (this.#child.connected) this.#child.send({ kind: 'stop' } satisfies Order)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), MOST_STOP_MS)
    const code = await gone
    clearTimeout(timer)
    return code
  }

  async #next<Kind extends FromSide['kind']>(kind: Kind): Promise<Extract<FromSide, { kind: Kind }>> {
    for (;;) {
      const message = this.#inbox.shift()
      if (message?.kind === kind) return message as Extract<FromSide, { kind: Kind }>
      if (message?.kind === 'failed') throw new Error(message.message)
      if (message !== undefined) throw new Error(`expected ${kind}, got ${message.kind}`)
      if (this.#exited) throw new Error(`a measured program ended before it said ${kind}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
