/**
 * The receiving half of a link: one stream of frames out of one connection after the other, with the report of each
 * loss between the last frame of one and the first of the next.
 *
 * A connection that is lost with frames that nobody has taken stays in line. Of such connections a few are kept; if one
 * more is lost, the oldest one's frames are dropped, and its report says how many.
 */
import { TransportError } from '../protocol/errors.js'
import { isThenable, type HandlerPlace } from '../common/handler-failures.js'
import type { Clock } from '../protocol/clock.js'
import { abortError, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { TrackedConnection } from './tracked-connection.js'
import type { LossReport } from './reconnecting-settings.js'

/** How many lost connections may have unread frames, each as much as its ring holds. */
const MOST_UNREAD = 4

type FrameHandler = (frame: Buffer) => unknown

/** A connection whose frames are still to be taken, in the order of the connections. */
export interface Source<C> {
  readonly connection: C
  /** True: the frame is nobody else's business. */
  readonly filter: (frame: Buffer) => boolean
}

interface Entry<C> extends Source<C> {
  isLost: boolean
  /** Due once the connection is lost and exhausted. */
  report: LossReport | undefined
  isExhausted: boolean
  /** Ends our subscription to it. */
  detach: (() => void) | undefined
}

type Consumer =
  | { readonly kind: 'none' }
  | { readonly kind: 'iterating' }
  | { readonly kind: 'waiting'; readonly waiter: Waiter<Buffer | undefined>; readonly iterating: boolean }
  | { readonly kind: 'subscribed'; readonly handler: FrameHandler; readonly borrow: boolean }
  /** A subscriber's promise is pending. */
  | { readonly kind: 'held'; readonly handler: FrameHandler; readonly borrow: boolean }

/** What comes behind the last frame of the last connection. */
type Behind = { readonly kind: 'more' } | { readonly kind: 'end' } | { readonly kind: 'failure'; readonly error: Error }

const NOBODY: Consumer = { kind: 'none' }
const ITERATING: Consumer = { kind: 'iterating' }

export interface InboxEvents {
  onReport(report: LossReport): void
  /** False: it failed for nothing but the end of the link, and goes on with what is left. */
  onHandlerFailed(where: HandlerPlace, cause: unknown): boolean
  /** A subscriber that had ended its subscription failed. */
  onStrayFailure(cause: unknown): void
}

export class Inbox<C extends TrackedConnection> {
  framesReceived = 0
  bytesReceived = 0
  readonly #endpoint: string
  readonly #clock: Clock
  readonly #events: InboxEvents
  #entries: Entry<C>[] = []
  #consumer: Consumer = NOBODY
  #behind: Behind = { kind: 'more' }
  /**
   * What subscribers are at work on, also those that have ended their subscription, and work that holds no frame back.
   */
  readonly #pending = new Set<Promise<unknown>>()

  constructor(endpoint: string, clock: Clock, events: InboxEvents) {
    this.#endpoint = endpoint
    this.#clock = clock
    this.#events = events
  }

  /** Whether somebody waits for the next frame of this connection, and so has taken all before it. */
  isReading(connection: C): boolean {
    const [front] = this.#entries
    return front?.connection === connection && front.detach !== undefined && this.#consumer.kind !== 'held'
  }

  receive(options: WaitOptions, iterating = false): Promise<Buffer | undefined> {
    if (this.#consumer.kind !== (iterating ? 'iterating' : 'none')) return Promise.reject(this.#busy())
    if (options.signal?.aborted === true)
      return Promise.reject(abortError('receiving', this.#endpoint, options.signal.reason))
    const found = this.#take()
    if (found !== undefined) return Promise.resolve(found)
    const idle = this.#consumer
    const waiter = new Waiter<Buffer | undefined>('receiving', this.#endpoint, options, this.#clock, () => {
      this.#consumer = idle
      this.#detach()
    })
    this.#consumer = { kind: 'waiting', waiter, iterating }
    this.#advance()
    return waiter.promise
  }

  async *iterate(): AsyncGenerator<Buffer, void, undefined> {
    if (this.#consumer.kind !== 'none') throw this.#busy()
    this.#consumer = ITERATING
    try {
      for (;;) {
        const frame = await this.receive({}, true)
        if (frame === undefined) return
        yield frame
      }
    } finally {
      if (this.#consumer === ITERATING) this.#consumer = NOBODY
    }
  }

  subscribe(handler: FrameHandler, borrow: boolean): () => void {
    if (this.#consumer.kind !== 'none') throw this.#busy()
    this.#consumer = { kind: 'subscribed', handler, borrow }
    this.#advance()
    return () => {
      const current = this.#consumer
      if ((current.kind !== 'subscribed' && current.kind !== 'held') || current.handler !== handler) return
      this.#consumer = NOBODY
      this.#detach()
    }
  }

  /** Somebody who was handed a frame works on it until this settles, and takes the next ones meanwhile. */
  atWork(pending: Promise<unknown>): void {
    this.#pending.add(pending)
    const done = (): void => {
      this.#pending.delete(pending)
    }
    pending.then(done, done)
  }

  /** Resolves once subscribers' promises that are pending have settled; undefined: none is. */
  settle(): Promise<unknown> | undefined {
    return this.#pending.size === 0 ? undefined : Promise.allSettled(this.#pending)
  }

  /** A new connection: its frames come after those of all before it. */
  add(source: Source<C>): void {
    const entry: Entry<C> = {
      ...source,
      isLost: false,
      report: undefined,
      isExhausted: false,
      detach: undefined,
    }
    this.#entries.push(entry)
    void source.connection.exhausted.then(() => {
      // In the next turn: whoever was given the last frame by a promise has it then, before what comes behind it.
      this.#clock.nextTurn(() => {
        entry.isExhausted = true
        this.#advance()
      })
    })
    this.#advance()
  }

  /** The connection is lost; what it left unread can still be taken, and then the report is due, if there is one. */
  lose(connection: C, report: LossReport | undefined): void {
    const entry = this.#entries.find((other) => other.connection === connection)
    if (entry === undefined) {
      if (report !== undefined) this.#events.onReport(report)
      return
    }
    entry.isLost = true
    entry.report = report
    this.#advance()
    if (this.#entries.filter(({ isLost }) => isLost).length > MOST_UNREAD) this.#dropOldest()
  }

  /**
   * No connection will follow. Reports that wait for frames to be taken are told now, then `last`; the frames stay
   * readable.
   */
  end(error: Error | undefined, last: LossReport | undefined): void {
    this.#behind = error === undefined ? { kind: 'end' } : { kind: 'failure', error }
    this.#reportAll(this.#entries)
    if (last !== undefined) this.#events.onReport(last)
    this.#advance()
  }

  /** Nobody is to be given any frame any more. */
  abandon(error: Error): void {
    this.#detach()
    this.#behind = { kind: 'failure', error }
    this.#reportAll(this.#entries.splice(0))
    this.#advance()
  }

  #reportAll(entries: readonly Entry<C>[]): void {
    for (const entry of [...entries]) {
      const { report } = entry
      entry.report = undefined
      if (report !== undefined) this.#events.onReport(report)
    }
  }

  /** Reports what is due, gives the consumer to the connection whose turn it is, or tells it that this was all. */
  #advance(): void {
    for (let front = this.#entries[0]; front?.isExhausted === true; front = this.#entries[0]) {
      if (!front.isLost) return
      this.#entries.shift()
      if (front.report !== undefined) this.#events.onReport(front.report)
    }
    const [front] = this.#entries
    if (front === undefined) this.#tellBehind()
    else if (front.detach === undefined) this.#attach(front)
  }

  #attach(entry: Entry<C>): void {
    const consumer = this.#consumer
    if (consumer.kind === 'waiting') {
      const { waiter, iterating } = consumer
      entry.detach = entry.connection.subscribe((frame) => {
        if (this.#isFiltered(entry, frame)) return
        this.#detach()
        this.#consumer = iterating ? ITERATING : NOBODY
        this.#count(frame)
        waiter.resolve(frame)
      })
    } else if (consumer.kind === 'subscribed') {
      const { borrow } = consumer
      entry.detach = entry.connection.subscribe((frame) => this.#handle(entry, consumer, frame), { borrow })
    }
  }

  #detach(): void {
    const [front] = this.#entries
    front?.detach?.()
    if (front !== undefined) front.detach = undefined
  }

  #handle(entry: Entry<C>, consumer: Consumer & { kind: 'subscribed' }, frame: Buffer): unknown {
    if (this.#isFiltered(entry, frame)) return undefined
    this.#count(frame)
    try {
      const result = consumer.handler(frame)
      if (!isThenable(result)) return undefined
      const pending = this.#hold(consumer, Promise.resolve(result))
      // One that has ended its subscription holds nobody up.
      return this.#consumer.kind === 'held' ? pending : undefined
    } catch (cause) {
      this.#fail('subscriber', cause, consumer)
      return undefined
    }
  }

  /** The connection holds its next frame back until this settles; we hold back those of the connection after it. */
  async #hold(consumer: Consumer & { kind: 'subscribed' }, pending: Promise<unknown>): Promise<void> {
    const held: Consumer = { ...consumer, kind: 'held' }
    if (this.#consumer === consumer) this.#consumer = held
    this.#pending.add(pending)
    try {
      await pending
    } catch (cause) {
      if (this.#consumer === held) this.#fail('subscriber', cause, held)
      else this.#events.onStrayFailure(cause)
    } finally {
      this.#pending.delete(pending)
    }
    if (this.#consumer !== held) return
    this.#consumer = consumer
    this.#advance()
  }

  /** Whoever else reads by now is told of the end that follows. */
  #fail(where: HandlerPlace, cause: unknown, consumer: Consumer): void {
    if (!this.#events.onHandlerFailed(where, cause)) return
    if (this.#consumer !== consumer || consumer.kind === 'waiting') return
    this.#consumer = NOBODY
    this.#detach()
  }

  #take(): Buffer | undefined {
    const [front] = this.#entries
    if (front === undefined) return undefined
    for (;;) {
      const frame = front.connection.take()
      if (frame === undefined) return undefined
      if (this.#isFiltered(front, frame)) continue
      this.#count(frame)
      return frame
    }
  }

  #isFiltered(entry: Entry<C>, frame: Buffer): boolean {
    try {
      return entry.filter(frame)
    } catch (cause) {
      this.#fail('heartbeat', cause, this.#consumer)
      return true
    }
  }

  #dropOldest(): void {
    this.#detach()
    const oldest = this.#entries.shift()
    if (oldest === undefined) return
    let unreadDropped = 0
    for (let frame = oldest.connection.take(); frame !== undefined; frame = oldest.connection.take()) {
      if (!this.#isFiltered(oldest, frame)) unreadDropped++
    }
    if (oldest.report !== undefined) this.#events.onReport({ ...oldest.report, unreadDropped })
    this.#advance()
  }

  #tellBehind(): void {
    if (this.#consumer.kind !== 'waiting' || this.#behind.kind === 'more') return
    const { waiter, iterating } = this.#consumer
    this.#consumer = iterating ? ITERATING : NOBODY
    if (this.#behind.kind === 'end') waiter.resolve(undefined)
    else waiter.reject(this.#behind.error)
  }

  #count(frame: Buffer): void {
    this.framesReceived++
    this.bytesReceived += frame.length
  }

  #busy(): TransportError {
    return new TransportError(
      'ERR_CONSUMER_BUSY',
      'someone else is reading this link. One consumer at a time: end the other loop, receive() or subscription first.',
      { endpoint: this.#endpoint },
    )
  }
}
