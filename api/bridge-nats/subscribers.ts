/** The local connections that get each message. */
import type { Connection } from '../../engine/common/connection.js'
import type { Clock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { SubscribeStats } from './message-reports.js'

/** How often in a row is looked whether a message was handed over before there are pauses, and how long those are. */
const LOOKS = 20
const PAUSE_MS = 2

export class Subscribers {
  readonly #most: number
  readonly #report: (error: TransportError) => void
  readonly #open = new Set<Connection>()
  readonly #onAdded = new Set<() => void>()
  readonly #connections = { ended: 0, refused: 0, slow: 0 }
  readonly #messages = { received: 0, delivered: 0, dropped: 0, duplicates: 0 }

  constructor(most: number, report: (error: TransportError) => void) {
    this.#most = most
    this.#report = report
  }

  get stats(): Pick<SubscribeStats, 'connections' | 'messages'> {
    return { connections: { open: this.#open.size, ...this.#connections }, messages: { ...this.#messages } }
  }

  add(local: Connection): void {
    if (this.#open.size >= this.#most) {
      this.#connections.refused++
      local.destroy(new TransportError('ERR_TOO_MANY_CONNECTIONS', 'the bridge has maxConnections already.'))
      return
    }
    this.#open.add(local)
    void local.closed.then(() => this.#remove(local))
    void this.#watch(local)
    for (const onAdded of this.#onAdded) onAdded()
  }

  /** Resolves at once while somebody is connected, else when somebody is. */
  someone(signal: AbortSignal): Promise<void> {
    if (this.#open.size > 0 || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.#onAdded.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#onAdded.add(done)
      signal.addEventListener('abort', done)
    })
  }

  /** Gives a message to all who are connected now. Slow ones are ended. */
  tell(data: Uint8Array): void {
    this.#messages.received++
    const given = this.#give(data)
    if (given.length > 0) this.#messages.delivered++
    else this.#messages.dropped++
  }

  /** The message has come before, and was handed over then. */
  repeated(): void {
    this.#messages.duplicates++
  }

  /**
   * Hands a message over to all who are connected, and resolves once each of them has taken it or is gone. `taken`: at
   * least one has. `refused`: their framing, or maxFrameBytes, does not let it through.
   */
  async handOver(
    data: Uint8Array,
    isFirst: boolean,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<'taken' | 'gone' | 'refused'> {
    if (isFirst) this.#messages.received++
    const given = this.#give(data)
    if (given.length === 0) {
      // Those that are gone are no longer among them.
      if (this.#open.size === 0) return 'gone'
      this.#messages.dropped++
      return 'refused'
    }
    const taken = await Promise.all(given.map((local) => this.#handedOver(local, clock, signal)))
    if (!taken.includes(true)) return 'gone'
    this.#messages.delivered++
    return 'taken'
  }

  /** Lets what was given leave, at most so long. */
  async close(graceMs: number, clock: Clock): Promise<void> {
    const cancel = clock.setTimer(() => {
      for (const local of this.#open) local.destroy()
    }, graceMs)
    await Promise.all([...this.#open].map((local) => local.close()))
    cancel()
  }

  #give(data: Uint8Array): readonly Connection[] {
    return [...this.#open].filter((local) => {
      try {
        local.send(data)
        return true
      } catch (error) {
        const failure = error as TransportError
        if (failure.code === 'ERR_CLOSED') this.#remove(local)
        else if (failure.code === 'ERR_BACKPRESSURE') {
          this.#connections.slow++
          local.destroy(failure)
          this.#remove(local)
        } else this.#report(failure)
        return false
      }
    })
  }

  /** Whether the operating system has taken all that the connection was given. */
  async #handedOver(local: Connection, clock: Clock, signal: AbortSignal): Promise<boolean> {
    for (let looks = 0; local.pendingBytes > 0 && !signal.aborted; looks++) {
      await new Promise<void>((resolve) => {
        if (looks < LOOKS) clock.nextTurn(resolve)
        else clock.setTimer(resolve, PAUSE_MS)
      })
    }
    // A connection that has just failed has nothing pending, and says so in the next turn.
    await new Promise<void>((resolve) => clock.nextTurn(resolve))
    return !signal.aborted && this.#open.has(local)
  }

  /** Only to see its end. */
  async #watch(local: Connection): Promise<void> {
    const frame = await local.receive().catch(() => undefined)
    if (frame === undefined) void local.close()
    else local.destroy(new TransportError('ERR_INVALID_FRAME', 'this bridge gives messages, and takes no frames.'))
  }

  #remove(local: Connection): void {
    if (this.#open.delete(local)) this.#connections.ended++
  }
}
