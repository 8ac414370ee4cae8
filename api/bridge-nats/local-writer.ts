/**
 * Frames on their way into a local connection: in order, no faster than it takes them, and how many bytes of them the
 * operating system has taken. What waits here is bounded by whoever gives it.
 */
import type { Connection } from '../../engine/common/connection.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { endFully } from '../adapters/sending.js'

type WriterState =
  | { readonly kind: 'open' }
  /** The connection has no room: what is given waits. */
  | { readonly kind: 'blocked' }
  /** Nothing can be given any more, and what waited is dropped. */
  | { readonly kind: 'broken' }

export class LocalWriter {
  readonly #local: Connection
  readonly #onFault: (error: Error) => void
  #state: WriterState = { kind: 'open' }
  #waiting: Buffer[] = []
  #onEmpty: (() => void) | undefined
  /** Payload bytes that the connection took. */
  #given = 0
  /** The most that was ever known to be handed over. */
  #handedOver = 0

  /** `onFault`: called once, when a frame cannot be given. */
  constructor(local: Connection, onFault: (error: Error) => void) {
    this.#local = local
    this.#onFault = onFault
    void local.closed.then(({ code }) => {
      if (code === 'OK') this.#handedOver = this.#given
      else this.#break()
    })
  }

  get isBroken(): boolean {
    return this.#state.kind === 'broken'
  }

  /** Whether all that was given was handed over, frames without bytes too. */
  get isIdle(): boolean {
    return !this.isBroken && this.#waiting.length === 0 && this.#local.pendingBytes === 0
  }

  /**
   * Payload bytes that the operating system has taken, at least. What waits in the connection is counted with the
   * headers of its frames, so this is exact only when nothing waits. To be asked in a turn of its own: a connection
   * that has just failed has nothing waiting, and says so only when its `closed` has settled.
   */
  get handedOver(): number {
    if (!this.isBroken) this.#handedOver = Math.max(this.#handedOver, this.#given - this.#local.pendingBytes)
    return this.#handedOver
  }

  give(frames: readonly Buffer[]): void {
    for (const frame of frames) {
      if (this.#state.kind === 'open') this.#send(frame)
      // A view would hold all that has come with it in memory.
      else if (this.#state.kind === 'blocked') this.#waiting.push(Buffer.from(frame))
    }
  }

  /** Ends the outgoing side behind what was given. Resolves once all has left; rejects with why it has not. */
  async end(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
    await endFully(this.#local, signal)
    if (this.isBroken) {
      throw new TransportError('ERR_CLOSED', 'the local connection has ended before all was handed over.')
    }
    this.#handedOver = this.#given
  }

  #send(frame: Buffer): void {
    try {
      const isRoom = this.#local.send(frame)
      this.#given += frame.length
      if (!isRoom) this.#wait()
    } catch (error) {
      this.#fault(error as Error)
    }
  }

  #wait(): void {
    this.#state = { kind: 'blocked' }
    this.#local.ready().then(
      () => this.#resume(),
      (error: unknown) => this.#fault(error as Error),
    )
  }

  #resume(): void {
    if (this.#state.kind !== 'blocked') return
    this.#state = { kind: 'open' }
    let sent = 0
    for (const frame of this.#waiting) {
      this.#send(frame)
      // It blocked, or broke: the state may have changed in there.
      sent++
      if (!this.#isOpen) break
    }
    if (this.isBroken) return
    this.#waiting.splice(0, sent)
    if (this.#waiting.length === 0) this.#onEmpty?.()
  }

  get #isOpen(): boolean {
    return this.#state.kind === 'open'
  }

  #fault(error: Error): void {
    if (this.isBroken) return
    this.#break()
    this.#onFault(error)
  }

  #break(): void {
    this.#state = { kind: 'broken' }
    this.#waiting = []
    this.#onEmpty?.()
  }
}
