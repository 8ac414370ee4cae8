/** One of our programs in a separate process, with orders and answers over IPC. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export class Forked {
  readonly #child: ChildProcess
  readonly #inbox: { readonly kind: string }[] = []
  readonly #exited: Promise<number | null>
  #isOver = false
  #wake: () => void = () => undefined

  private constructor(program: string, argument: string, pinTo: string | undefined) {
    const path = fileURLToPath(new URL(`../programs/${program}.js`, import.meta.url))
    const execPath = pinTo === undefined ? process.execPath : 'taskset'
    const execArgv = pinTo === undefined ? [] : ['-c', pinTo, process.execPath]
    this.#child = fork(path, [argument], { execPath, execArgv })
    this.#child.on('message', (message) => {
      this.#inbox.push(message as { kind: string })
      this.#wake()
    })
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code) => {
        this.#isOver = true
        this.#wake()
        resolve(code)
      })
    })
  }

  /** @throws what the program says, or that it has ended; it is gone then. */
  static async start(program: string, argument: string, pinTo?: string): Promise<Forked> {
    const forked = new Forked(program, argument, pinTo)
    try {
      await forked.next('ready')
    } catch (error) {
      // Nobody else knows of it, and it would keep this program alive.
      await forked.stop()
      throw error
    }
    return forked
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Gives an order, and waits for the answer. */
  ask<Answer extends { readonly kind: string }>(order: object, kind: Answer['kind']): Promise<Answer> {
    this.#child.send(order)
    return this.next<Answer>(kind)
  }

  async next<Answer extends { readonly kind: string }>(kind: Answer['kind']): Promise<Answer> {
    for (;;) {
      const message = this.#inbox.shift()
      if (message?.kind === kind) return message as Answer
      if (message?.kind === 'failed') throw new Error((message as { readonly message?: string }).message)
      if (message !== undefined) throw new Error(`expected ${kind}, got ${message.kind}`)
      if (this.#isOver) throw new Error(`a measured program ended before it said ${kind}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Ends the program and waits until it is gone. */
  stop(): Promise<number | null> {
    if (this.#child.connected) this.#child.disconnect()
    return this.#exited
  }
}
