/** The two ways in which a frame becomes a message, and when the server is known to have it. */
import type { JetStreamClient } from '@nats-io/jetstream'
import type { Clock } from '../../engine/protocol/clock.js'
import { natsError, type NatsLink } from './nats-link.js'
import { missing } from './nats-input.js'
import { TransportError } from '../../engine/protocol/errors.js'

export type Outcome = 'handedOver' | 'duplicate' | 'unconfirmed' | 'unsent'

export interface MessagePublisher {
  /** Whether the next frame may be published before the last one is confirmed. */
  readonly isPipelined: boolean
  /** `id`: unique for each frame. Settles once its fate is known. @throws {TransportError} it cannot be published */
  publish(data: Uint8Array, id: string, signal: AbortSignal): Promise<Outcome>
}

/** Whoever subscribes gets it. The server confirms with its next pong that it has all that came before. */
export class CorePublisher implements MessagePublisher {
  readonly isPipelined = true
  readonly #link: NatsLink
  readonly #subject: string
  readonly #clock: Clock
  /** For all that is published in this turn. */
  #confirmation: Promise<Outcome> | undefined

  constructor(link: NatsLink, subject: string, clock: Clock) {
    this.#link = link
    this.#subject = subject
    this.#clock = clock
  }

  publish(data: Uint8Array): Promise<Outcome> {
    if (!this.#link.publish(this.#subject, data)) return Promise.resolve('unsent')
    this.#confirmation ??= new Promise((resolve) => {
      this.#clock.nextTurn(() => {
        this.#confirmation = undefined
        this.#link.flush().then(
          () => resolve('handedOver'),
          () => resolve('unconfirmed'),
        )
      })
    })
    return this.#confirmation
  }
}

/** How long to wait for the stream's word, and between two tries. */
const WORD_MS = 5_000
const PAUSE_MS = 50

/**
 * A stream stores it. What is not confirmed is published again, under the same id, by which the stream knows what it
 * has. One at a time for each connection, since a message that is refused between others would come behind them.
 */
export class StreamPublisher implements MessagePublisher {
  readonly isPipelined = false
  readonly #link: NatsLink
  readonly #client: JetStreamClient
  readonly #subject: string
  readonly #outageMs: number
  readonly #clock: Clock

  constructor(link: NatsLink, client: JetStreamClient, subject: string, outageMs: number, clock: Clock) {
    this.#link = link
    this.#client = client
    this.#subject = subject
    this.#outageMs = outageMs
    this.#clock = clock
  }

  async publish(data: Uint8Array, id: string, signal: AbortSignal): Promise<Outcome> {
    const until = this.#clock.now() + this.#outageMs
    for (let isPublished = false; ; isPublished = true) {
      try {
        await this.#link.whenUp(signal)
      } catch {
        return isPublished ? 'unconfirmed' : 'unsent'
      }
      // By now the stream may have forgotten the id, and would store it twice.
      if (isPublished && this.#clock.now() >= until) throw outageError(this.#outageMs)
      const tried = await this.#try(data, id, signal)
      if (typeof tried === 'string') return tried
      if (signal.aborted) return 'unconfirmed'
      if (tried === undefined) continue
      if (this.#clock.now() >= until) throw tried
      await new Promise<void>((resolve) => this.#clock.setTimer(resolve, PAUSE_MS))
    }
  }

  /** The failure, if there is one; undefined: NATS was lost meanwhile. */
  async #try(data: Uint8Array, id: string, signal: AbortSignal): Promise<Outcome | TransportError | undefined> {
    const stored = this.#client.publish(this.#subject, data, { msgID: id, timeout: WORD_MS }).then(
      ({ duplicate }): Outcome => (duplicate ? 'duplicate' : 'handedOver'),
      (cause: unknown) => natsError('the stream has not taken a message', cause),
    )
    return this.#link.whileUp(stored, signal)
  }
}

function outageError(ms: number): TransportError {
  const message = `the stream has not confirmed a message within ${String(ms)} ms (outageMs), and NATS was away.`
  return new TransportError('ERR_TIMEOUT', message)
}

/** @throws {TransportError} ERR_NOT_FOUND: it is not installed */
export function loadJetStream() {
  return import('@nats-io/jetstream').catch((cause: unknown) => {
    throw missing('@nats-io/jetstream', cause)
  })
}

/** The name of the stream that takes a subject. @throws {TransportError} ERR_NOT_FOUND, ERR_IO */
export async function streamOf(link: NatsLink, subject: string): Promise<string> {
  const { jetstreamManager } = await loadJetStream()
  try {
    const manager = await jetstreamManager(link.connection)
    return await manager.streams.find(subject)
  } catch (cause) {
    const { message } = cause as Error
    const advice = 'Make one (nats stream add), and see that the server has JetStream (nats-server -js).'
    throw new TransportError('ERR_NOT_FOUND', `no stream takes ${subject}: ${message}. ${advice}`, { cause })
  }
}
