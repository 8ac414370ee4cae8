/** One local connection whose frames are published, and what becomes of each. */
import type { Connection } from '../../engine/common/connection.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { MessagePublisher, Outcome } from './message-publishers.js'
import type { PublishReport } from './message-reports.js'
import type { NatsLink } from './nats-link.js'

export class PublishedConnection {
  readonly counts = { handedOver: 0, unconfirmed: 0, unsent: 0, duplicates: 0, onTheWay: 0 }
  /** Resolves once the fate of all frames is known. */
  readonly over: Promise<void>
  readonly #local: Connection
  readonly #link: NatsLink
  readonly #publisher: MessagePublisher
  readonly #windowBytes: number
  readonly #id: string
  readonly #stopReading = new AbortController()
  readonly #stop = new AbortController()
  #frames = 0
  #bytesOnTheWay = 0
  #onSettled: (() => void) | undefined
  #failure: TransportError | undefined
  #onOver = (): void => undefined

  /** `id`: a word that no other connection has. */
  constructor(local: Connection, link: NatsLink, publisher: MessagePublisher, windowBytes: number, id: string) {
    this.#local = local
    this.#link = link
    this.#publisher = publisher
    this.#windowBytes = windowBytes
    this.#id = id
    this.over = new Promise((resolve) => (this.#onOver = resolve))
  }

  /** Takes nothing more from the local connection. */
  wind(): void {
    this.#stopReading.abort()
    this.#onSettled?.()
  }

  /** Waits for nothing. */
  cut(): void {
    this.#stop.abort()
    this.wind()
  }

  async run(): Promise<PublishReport> {
    try {
      await this.#read()
    } catch (error) {
      if (!this.#stopReading.signal.aborted) this.#failure ??= error as TransportError
    }
    while (this.counts.onTheWay > 0 && !this.#stop.signal.aborted) await this.#settled()
    const { handedOver, unconfirmed, unsent, onTheWay } = this.counts
    this.counts.unconfirmed += onTheWay
    this.counts.onTheWay = 0
    const cause = this.#failure
    if (cause === undefined) void this.#local.close()
    else this.#local.destroy(cause)
    this.#onOver()
    return { code: cause?.code ?? 'OK', cause, handedOver, unconfirmed: unconfirmed + onTheWay, unsent }
  }

  async #read(): Promise<void> {
    const { signal } = this.#stopReading
    while (this.#failure === undefined) {
      while (!this.#hasRoom && !signal.aborted) await this.#settled()
      if (signal.aborted) return
      const frame = await this.#local.receive({ signal })
      if (frame === undefined) return
      this.#assertSize(frame)
      if (!this.#link.isUp) await this.#whenUp()
      this.#publish(frame)
    }
  }

  /** The frame was taken: it is waited for as long as may be, also when no more are read. */
  async #whenUp(): Promise<void> {
    try {
      await this.#link.whenUp(this.#stop.signal)
    } catch (error) {
      this.counts.unsent++
      throw error
    }
  }

  get #hasRoom(): boolean {
    if (this.#failure !== undefined || this.counts.onTheWay === 0) return true
    return this.#publisher.isPipelined && this.#bytesOnTheWay < this.#windowBytes
  }

  #publish(frame: Buffer): void {
    this.counts.onTheWay++
    this.#bytesOnTheWay += frame.length
    const id = `${this.#id}-${String(this.#frames++)}`
    this.#publisher.publish(frame, id, this.#stop.signal).then(
      (outcome) => {
        // Those that follow would not be taken either.
        if (outcome === 'unsent' && this.#link.isUp) this.#failure ??= undeliveredError(this.#local.info.endpoint)
        this.#onOutcome(frame, outcome)
        if (this.#failure !== undefined) this.wind()
      },
      (error: unknown) => {
        this.#failure ??= error as TransportError
        this.#onOutcome(frame, 'unconfirmed')
        this.wind()
      },
    )
  }

  #onOutcome(frame: Buffer, outcome: Outcome): void {
    // It was cut: the frame counts as unconfirmed already.
    if (this.counts.onTheWay === 0) return
    this.counts.onTheWay--
    this.#bytesOnTheWay -= frame.length
    if (outcome === 'duplicate') {
      this.counts.handedOver++
      this.counts.duplicates++
    } else this.counts[outcome]++
    this.#onSettled?.()
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => (this.#onSettled = resolve))
  }

  #assertSize({ length }: Buffer): void {
    const most = this.#link.maxPayload
    if (length <= most) return
    this.counts.unsent++
    const message = `a frame of ${String(length)} bytes exceeds max_payload of the server (${String(most)}). Split it, or raise the setting of nats-server.`
    throw new TransportError('ERR_FRAME_TOO_LARGE', message, { endpoint: this.#local.info.endpoint })
  }
}

function undeliveredError(endpoint: string): TransportError {
  return new TransportError('ERR_IO', 'the client of NATS takes no messages: it is being drained.', { endpoint })
}
