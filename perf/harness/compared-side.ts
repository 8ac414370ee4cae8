/** The runner's view of one side of a compared peer. */
import type { Socket } from 'node:net'
import type { ComparedOrder, FromCompared } from './compared-messages.js'
import { readLines, writeLine } from './json-lines.js'

type Here = Extract<FromCompared, { readonly kind: 'here' }>

export class ComparedSide {
  readonly here: Here
  readonly #socket: Socket
  readonly #inbox: FromCompared[] = []
  #isOver = false
  #wake: () => void = () => undefined

  private constructor(socket: Socket, here: Here) {
    this.#socket = socket
    this.here = here
  }

  /** Calls back once the side has said who it is. */
  static meet(socket: Socket, onMet: (side: ComparedSide) => void): void {
    let side: ComparedSide | undefined
    readLines(socket, (message) => {
      if (side === undefined) {
        side = new ComparedSide(socket, message as Here)
        onMet(side)
        return
      }
      side.#inbox.push(message as FromCompared)
      side.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (side === undefined) return
      side.#isOver = true
      side.#wake()
    })
  }

  order(order: ComparedOrder): void {
    if (!this.#isOver) writeLine(this.#socket, order)
  }

  /** @throws if the side fails, ends, or says nothing for so long */
  async next<Kind extends FromCompared['kind']>(
    kind: Kind,
    patienceMs: number,
  ): Promise<Extract<FromCompared, { kind: Kind }>> {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort()
      this.#wake()
    }, patienceMs)
    try {
      for (;;) {
        const message = this.#inbox.shift()
        if (message?.kind === kind) return message as Extract<FromCompared, { kind: Kind }>
        if (message?.kind === 'failed') throw new Error(message.message)
        if (message !== undefined) throw new Error(`expected ${kind}, got ${message.kind}`)
        if (this.#isOver) throw new Error(`its ${this.here.role} side ended before it said ${kind}`)
        if (late.signal.aborted)
          throw new Error(`messages are missing: ${kind} was not said within ${String(patienceMs / 1000)} s`)
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  leave(): void {
    this.#socket.destroy()
  }
}
