/**
 * Messages of a durable consumer, one after the other: the next one is asked for once the last was handed over and
 * acknowledged. So order holds whatever happens, also when this process dies: the server gives out again what was not
 * acknowledged, before anything behind it.
 */
import type { Consumer, JsMsg } from '@nats-io/jetstream'
import type { Clock } from '../../engine/protocol/clock.js'
import type { TransportError } from '../../engine/protocol/errors.js'
import { loadJetStream, streamOf } from './message-publishers.js'
import { natsError, type NatsLink } from './nats-link.js'
import type { Subscribers } from './subscribers.js'

const NANOS_PER_MS = 1_000_000
/** How long one question for the next message is open at the server, and the pauses after those that failed. */
const ASK_MS = 30_000
const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 5_000

export interface DurableSettings {
  readonly subject: string
  readonly durable: string
  readonly ackWaitMs: number
  readonly clock: Clock
}

export class DurableMessages {
  readonly #link: NatsLink
  readonly #consumer: Consumer
  readonly #subscribers: Subscribers
  readonly #settings: DurableSettings
  readonly #report: (error: TransportError) => void
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  /** The last message of the stream that was handed over. A new stream counts from 1 again, at a later time. */
  #last = { seq: 0, timestampNanos: 0 }
  #pauseMs = FIRST_PAUSE_MS

  private constructor(
    link: NatsLink,
    consumer: Consumer,
    subscribers: Subscribers,
    settings: DurableSettings,
    report: (error: TransportError) => void,
  ) {
    this.#link = link
    this.#consumer = consumer
    this.#subscribers = subscribers
    this.#settings = settings
    this.#report = report
    this.#done = this.#run()
  }

  /** @throws {TransportError} ERR_NOT_FOUND, ERR_ACCESS, ERR_IO */
  static async begin(
    link: NatsLink,
    subscribers: Subscribers,
    settings: DurableSettings,
    report: (error: TransportError) => void,
  ): Promise<DurableMessages> {
    const { subject, durable, ackWaitMs } = settings
    const stream = await streamOf(link, subject)
    const { jetstream, jetstreamManager, AckPolicy } = await loadJetStream()
    try {
      const manager = await jetstreamManager(link.connection)
      await manager.consumers.add(stream, {
        durable_name: durable,
        filter_subject: subject,
        ack_policy: AckPolicy.Explicit,
        ack_wait: ackWaitMs * NANOS_PER_MS,
        max_ack_pending: 1,
      })
      const consumer = await jetstream(link.connection).consumers.get(stream, durable)
      return new DurableMessages(link, consumer, subscribers, settings, report)
    } catch (cause) {
      throw natsError(`the consumer ${durable} cannot be had`, cause)
    }
  }

  /** The message that is being handed over is not waited for: the server gives it out again. */
  stop(): Promise<void> {
    this.#stop.abort()
    return this.#done
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#subscribers.someone(signal)
      try {
        await this.#link.whenUp(signal)
      } catch {
        return
      }
      const message = await this.#next(signal)
      if (message === undefined) continue
      const { timestampNanos } = message.info
      if (message.seq <= this.#last.seq && timestampNanos <= this.#last.timestampNanos) this.#subscribers.repeated()
      else if (await this.#handOver(message, signal)) this.#last = { seq: message.seq, timestampNanos }
      else return
      // Otherwise it comes once more, and is known then.
      this.#say(() => message.ack())
    }
  }

  /** Undefined: none came, or NATS was lost meanwhile. */
  async #next(signal: AbortSignal): Promise<JsMsg | undefined> {
    const asked = this.#consumer.next({ expires: ASK_MS })
    let message: JsMsg | null | undefined
    try {
      message = await this.#link.whileUp(asked, signal)
      this.#pauseMs = FIRST_PAUSE_MS
      return message ?? undefined
    } catch (cause) {
      if (this.#link.isUp) {
        this.#report(natsError('no message can be had', cause))
        await this.#pause(signal)
      }
      return undefined
    } finally {
      // One that comes after all is for whoever asks next.
      if (message === undefined) void asked.then((late) => late?.nak()).catch(() => undefined)
    }
  }

  /** Longer each time: it may be that the consumer is gone for good, and each failure is reported. */
  #pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.#settings
    const ms = this.#pauseMs
    this.#pauseMs = Math.min(LAST_PAUSE_MS, ms * 2)
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = clock.setTimer(done, ms)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }

  /** The client throws where the host is draining its connection: the server gives the message out again. */
  #say(word: () => void): void {
    if (!this.#link.isUp) return
    try {
      word()
    } catch (cause) {
      this.#report(natsError('a message cannot be acknowledged', cause))
    }
  }

  /** True: somebody has it, or nobody can. False: it is to stop. */
  async #handOver(message: JsMsg, signal: AbortSignal): Promise<boolean> {
    const { clock, ackWaitMs } = this.#settings
    let cancel = (): void => undefined
    const sayWord = (): void => {
      cancel = clock.setTimer(() => {
        this.#say(() => message.working())
        sayWord()
      }, ackWaitMs / 3)
    }
    sayWord()
    try {
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        await this.#subscribers.someone(signal)
        const outcome = await this.#subscribers.handOver(message.data, isFirst, clock, signal)
        if (outcome !== 'gone') return true
      }
      return false
    } finally {
      cancel()
    }
  }
}
