/**
 * The receiving half of a reconnecting connection: one stream of frames out of one connection after the other, with
 * the report of each loss between the last frame of one and the first of the next.
 *
 * A connection that is lost with unread frames stays in the queue. A few such connections are kept; if one more is
 * lost, the oldest one's frames are dropped, and its report says how many.
 */
import {
  FrameConsumer,
  type ConsumerEvents,
  type FrameSource,
  type BatchSubscription,
  type FrameSubscription,
  type StreamOutcome,
  type Subscription,
} from '../common/frame-consumer.js'
import { isThenable, type HandlerPlace } from '../common/handler-failures.js'
import type { FrameBatch } from '../common/connection.js'
import type { Clock } from '../protocol/clock.js'
import { KeptFrames } from './kept-frames.js'
import type { LossReport, TrackedConnection } from './reconnecting-settings.js'

/** How many lost connections may have unread frames, each as much as its ring holds. */
const MOST_UNREAD = 4

/** A connection whose frames are still to be taken, in the order of the connections. */
export interface Source<C> {
  readonly connection: C
  /** True: the frame is not for the user. */
  readonly filter: (frame: Buffer) => boolean
  /** False: every frame is for the user, and the filter needs to see only one of those that came together. */
  readonly isSelective: boolean
}

interface Entry<C> extends Source<C> {
  isLost: boolean
  /** Due once the connection is lost and exhausted. */
  report: LossReport | undefined
  isExhausted: boolean
  /** Ends the subscription to it. */
  detach: (() => void) | undefined
}

export interface InboxEvents extends ConsumerEvents {
  onReport(report: LossReport): void
  onHandlerFailed(where: HandlerPlace, cause: unknown): void
}

export class Inbox<C extends TrackedConnection> implements FrameSource {
  framesReceived = 0
  bytesReceived = 0
  readonly consumer: FrameConsumer
  readonly #clock: Clock
  readonly #events: InboxEvents
  #entries: Entry<C>[] = []
  /** What comes behind the last frame of the last connection; undefined: more frames may. */
  #behind: StreamOutcome | undefined

  constructor(endpoint: string, clock: Clock, events: InboxEvents) {
    this.#clock = clock
    this.#events = events
    this.consumer = new FrameConsumer(endpoint, clock, this, events)
  }

  /** Whether the user waits for the next frame of this connection, and so has taken all before it. */
  isReading(connection: C): boolean {
    const [front] = this.#entries
    return front?.connection === connection && front.detach !== undefined && this.consumer.state.kind !== 'held'
  }

  next(): Buffer | undefined {
    const [front] = this.#entries
    if (front === undefined) return undefined
    for (let frame = front.connection.take(); frame !== undefined; frame = front.connection.take()) {
      if (this.#isFiltered(front, frame)) continue
      this.#count(frame)
      return frame
    }
    return undefined
  }

  get outcome(): StreamOutcome | undefined {
    return this.#entries.length === 0 ? this.#behind : undefined
  }

  onReading(): void {
    this.#advance()
  }

  onStopped(): void {
    this.#detach()
  }

  tend(): void {
    // Work that holds no frame back is known already: `atWork()` gets each promise.
  }

  onHandlerFailed(cause: unknown): void {
    this.#fail('subscriber', cause)
  }

  /** A new connection: its frames come after those of all before it. */
  add(source: Source<C>): void {
    const entry: Entry<C> = { ...source, isLost: false, report: undefined, isExhausted: false, detach: undefined }
    this.#entries.push(entry)
    void source.connection.exhausted.then(() => {
      // In the next turn: a reader that got the last frame by a promise has it then, before what comes behind it.
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

  /** No connection will follow. Reports that wait for frames are due now, then `last`; the frames stay readable. */
  end(error: Error | undefined, last: LossReport | undefined): void {
    this.#behind = error === undefined ? { kind: 'ended' } : { kind: 'failed', error }
    this.#reportAll(this.#entries)
    if (last !== undefined) this.#events.onReport(last)
    this.#advance()
  }

  /** No frame is given to the user any more. */
  abandon(error: Error): void {
    this.#detach()
    this.#behind = { kind: 'failed', error }
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

  /** Reports what is due, gives the consumer to the connection whose turn it is, or tells it that there is no more. */
  #advance(): void {
    for (let front = this.#entries[0]; front?.isExhausted === true; front = this.#entries[0]) {
      if (!front.isLost) return
      this.#entries.shift()
      if (front.report !== undefined) this.#events.onReport(front.report)
    }
    const [front] = this.#entries
    if (front !== undefined) this.#attach(front)
    else if (this.#behind !== undefined) this.consumer.finish(this.#behind)
  }

  #attach(entry: Entry<C>): void {
    const { state } = this.consumer
    if (entry.detach !== undefined) return
    if (state.kind === 'waiting') {
      entry.detach = entry.connection.subscribe((frame) => {
        if (this.#isFiltered(entry, frame)) return
        this.#detach()
        this.#count(frame)
        this.consumer.serve(frame)
      })
    } else if (state.kind === 'subscribed' && state.takes === 'batches') {
      entry.detach = entry.connection.subscribeBatch((batch) => this.#handleBatch(entry, state, batch))
    } else if (state.kind === 'subscribed') {
      const borrow = state.takes === 'views'
      entry.detach = entry.connection.subscribe((frame) => this.#handle(entry, state, frame), { borrow })
    }
  }

  #detach(): void {
    const [front] = this.#entries
    front?.detach?.()
    if (front !== undefined) front.detach = undefined
  }

  /** The connection holds its next frame back until what this returns has settled. */
  #handle(entry: Entry<C>, subscription: FrameSubscription, frame: Buffer): unknown {
    if (this.#isFiltered(entry, frame)) return undefined
    this.#count(frame)
    return this.#call(subscription, subscription.handler, frame)
  }

  /** As above, for frames that came together. */
  #handleBatch(entry: Entry<C>, subscription: BatchSubscription, batch: FrameBatch): unknown {
    const own = this.#ownOf(entry, batch)
    // One that `isPong` ends its subscription from gets the batch all the same: it is taken, and nobody else would.
    if (own === undefined || own.length === 0) return undefined
    this.framesReceived += own.length
    for (let i = 0; i < own.length; i++) this.bytesReceived += own.size(i)
    return this.#call(subscription, subscription.handler, own)
  }

  /** Undefined: the filter has failed, or has destroyed the connection. */
  #ownOf(entry: Entry<C>, batch: FrameBatch): FrameBatch | undefined {
    const seen = entry.isSelective ? batch.length : 1
    const own: number[] = []
    for (let i = 0; i < seen; i++) {
      const verdict = this.#judge(entry, batch.frame(i))
      if (verdict === 'failed' || !this.#entries.includes(entry)) return undefined
      if (verdict === 'own') own.push(i)
    }
    return own.length === seen ? batch : new KeptFrames(batch, own)
  }

  #call<Given>(subscription: Subscription, handler: (given: Given) => unknown, given: Given): unknown {
    try {
      const result = handler(given)
      if (!isThenable(result)) return undefined
      const pending = Promise.resolve(result)
      this.consumer.atWork(pending)
      const held = this.consumer.hold(subscription, pending)
      // The promise of a handler that has ended its subscription holds no frame back.
      return this.consumer.state.kind === 'held' ? held : undefined
    } catch (cause) {
      if (!this.#events.isOfTheEnd(cause)) this.consumer.fail(cause, subscription)
      return undefined
    }
  }

  #isFiltered(entry: Entry<C>, frame: Buffer): boolean {
    return this.#judge(entry, frame) !== 'own'
  }

  #judge(entry: Entry<C>, frame: Buffer): 'own' | 'filtered' | 'failed' {
    try {
      return entry.filter(frame) ? 'filtered' : 'own'
    } catch (cause) {
      const { state } = this.consumer
      if (this.#events.isOfTheEnd(cause)) return 'filtered'
      if (state.kind === 'subscribed' || state.kind === 'held') this.consumer.leave(state)
      this.#fail('heartbeat', cause)
      return 'failed'
    }
  }

  #fail(where: HandlerPlace, cause: unknown): void {
    // A consumer that has come since the failure began stays attached: after the end it reads what is left.
    if (this.consumer.state.kind === 'none') this.#detach()
    this.#events.onHandlerFailed(where, cause)
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

  #count(frame: Buffer): void {
    this.framesReceived++
    this.bytesReceived += frame.length
  }
}
