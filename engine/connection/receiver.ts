/** The receiving half of a connection: frames out of the in ring, for one consumer at a time. */
import type { TransportError } from '../protocol/errors.js'
import {
  FrameConsumer,
  type ConsumerEvents,
  type FrameSource,
  type StreamOutcome,
  type Subscription,
} from '../common/frame-consumer.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import { isThenable } from '../common/handler-failures.js'
import { systemClock } from '../protocol/clock.js'
import { FrameDeadline } from '../protocol/frame-deadline.js'
import { distance } from '../protocol/ring.js'
import { faultAtEnd, frameTimeout, noMemory, tooLarge, truncated } from './connection-errors.js'
import type { FrameReader } from './frame-reader.js'
import { InRing } from './in-ring.js'
import { IncomingStream, type StreamEvents } from './incoming-stream.js'
import type { Lane } from './connection-lane.js'
import type { NotifyHandler, PendingReply } from './lane-host.js'
import { HandlerDrain, type HandlerDrainEvents, type HandlerDrainSource } from './handler-drain.js'

/** What the receiving half tells its connection. */
export interface ReceiverEvents extends ConsumerEvents, HandlerDrainEvents, StreamEvents {
  /** A subscriber failed: the connection must go, unless `closed` has settled (`isLate`). Returns what ends it. */
  onHandlerFailed(cause: unknown, isLate: boolean): TransportError
}

/** What one connection may take of a turn before the others and the host's own work get theirs. */
const TURN_BYTES = 262_144
const TURN_MS = 1
const FRAMES_PER_CLOCK_LOOK = 64

export class Receiver implements NotifyHandler, FrameSource, HandlerDrainSource {
  readonly consumer: FrameConsumer
  readonly stream: IncomingStream
  readonly handlers: HandlerDrain
  framesReceived = 0
  bytesReceived = 0
  lastFrameAt = 0
  readonly #lane: Lane
  readonly #pendingReply: PendingReply
  readonly #events: ReceiverEvents
  readonly #in: InRing
  readonly #reader: FrameReader
  /** Undefined: frames may take as long as they like. */
  readonly #deadline: FrameDeadline | undefined

  constructor(lane: Lane, events: ReceiverEvents) {
    const { clock, frameTimeoutMs } = lane.settings
    this.#lane = lane
    this.#pendingReply = lane.pendingReply
    this.#events = events
    this.#in = new InRing(lane)
    this.#reader = this.#in.reader
    this.stream = new IncomingStream(events)
    this.consumer = new FrameConsumer(lane.endpoint, clock, this, events)
    this.handlers = new HandlerDrain(this, events)
    this.#deadline = frameTimeoutMs === undefined ? undefined : this.#createDeadline(frameTimeoutMs)
  }

  tend(handler: Promise<unknown>): void {
    this.handlers.tend(handler)
  }

  /** Resolves once handlers are done with what came, or wait for the peer; undefined: they are, or there are none. */
  settle(): Promise<void> | undefined {
    const handed = this.handlers.wait(this.#in.end)
    if (handed === undefined) return this.consumer.worked()
    // No notification may come of what is there already.
    this.#again()
    return handed.then(() => this.consumer.worked())
  }

  /** There is no consumer, and still the shard is to notify of the next byte and of the end. */
  watch(): void {
    if (this.consumer.state.kind !== 'none' || this.#in.status !== 'attached') return
    this.look()
    this.#in.guard()
  }

  /** What is in the way of another user, by what the shard has published until now. */
  get reuseBlocker(): ReuseBlocker | undefined {
    if (!this.stream.isOpen) return 'ended'
    if (this.consumer.state.kind !== 'none') return 'busy'
    return this.#in.hasUnread ? 'unread' : undefined
  }

  onNotify(): boolean {
    this.#in.grantGrowth()
    const { state } = this.consumer
    switch (state.kind) {
      case 'none':
      case 'iterating':
        // No frame is wanted. The end still counts when nothing lies before it.
        this.look()
        return false
      case 'waiting': {
        const frame = this.next()
        const { outcome } = this
        if (frame !== undefined) this.consumer.serve(frame)
        else if (outcome !== undefined) this.consumer.finish(outcome)
        else this.handlers.update(true)
        return false
      }
      case 'subscribed': {
        const more = this.#drain(state)
        this.handlers.update(!more)
        return more
      }
      case 'held':
        return false
    }
  }

  /**
   * I/O is finished: what is unread moves into main's memory, so that the lane can be given back. `error` ends the
   * stream after it; without one the stream ends as the peer ended it. Returns why that was no clean end, as far as it
   * shows by now: a frame that is cut off, or a subscriber that failed.
   */
  detach(error: TransportError | undefined): TransportError | undefined {
    if (this.#in.status !== 'attached') return undefined
    this.#deadline?.end()
    let unread: Buffer | undefined
    try {
      unread = this.#in.detach(this.stream.isOpen)
    } catch (cause) {
      // What is unread goes with the lane, and the consumer gets the error.
      this.abandon(noMemory(cause, this.#lane.endpoint))
    }
    this.handlers.moveTo(unread?.length ?? 0)
    const fault = unread && faultAtEnd(this.#reader.endOf(unread), this.#lane.settings.framing, this.#lane.endpoint)
    this.stream.detach(error ?? fault)
    if (this.onNotify()) this.#again()
    this.#in.status = 'detached'
    return this.stream.foreseenFailure
  }

  /** Gives back what was taken. False: a handler is looking at it, until it returns. */
  release(): boolean {
    if (this.#reader.isLent) return false
    this.#in.release()
    return true
  }

  conclude(failure: TransportError | undefined): void {
    const { isInconclusive } = this.stream
    this.stream.conclude(failure)
    if (isInconclusive) this.onNotify()
  }

  /** Ends the stream at once; frames that were not taken are dropped. */
  abandon(error: TransportError): void {
    this.#deadline?.end()
    this.stream.drop(error)
    this.#reader.abandon()
    this.handlers.update(true)
    this.consumer.finish({ kind: 'failed', error })
  }

  /** Undefined: there is no frame now, or none will come: see `outcome`. */
  next(): Buffer | undefined {
    this.handlers.onAsked()
    let frame: Buffer
    try {
      if (!this.#findFrame()) return undefined
      frame = this.#reader.copy()
    } catch (error) {
      this.#fail(noMemory(error, this.#lane.endpoint))
      return undefined
    }
    this.#reader.done()
    this.#count(frame.length)
    this.#lane.host.onTaken?.(1, frame.length)
    this.lastFrameAt = Date.now()
    this.#in.release()
    // No notification will come of what lies behind the last one.
    if (this.#in.status !== 'attached') this.look()
    return frame
  }

  get outcome(): StreamOutcome | undefined {
    return this.stream.outcome
  }

  onReading(): void {
    if (this.consumer.state.kind === 'waiting') {
      this.handlers.update(true)
      this.#startDeadline()
    } else {
      this.handlers.update(false)
      this.#again()
    }
  }

  /** The next consumer goes on with what is left of the deadline. */
  onStopped(): void {
    this.#deadline?.pause()
    this.handlers.update(false)
  }

  onHandlerFailed(cause: unknown): void {
    this.abandon(this.#events.onHandlerFailed(cause, this.#in.status === 'detached'))
  }

  isPast(position: number): boolean {
    return !this.stream.isReadable || distance(this.#reader.ring.head, position) >= 0
  }

  /** Whether a frame is in view. Where there is no memory for it, the stream has failed. */
  protected look(): boolean {
    try {
      return this.#findFrame()
    } catch (error) {
      this.#fail(noMemory(error, this.#lane.endpoint))
      return false
    }
  }

  #createDeadline(timeoutMs: number): FrameDeadline {
    const onExpired = (): void => {
      if (!this.stream.isOpen || !this.consumer.isReading || !this.#reader.midFrame) return
      this.#fail(frameTimeout(timeoutMs, this.#lane.endpoint))
    }
    const look = (): void => {
      if (this.onNotify()) this.#again()
    }
    return new FrameDeadline(timeoutMs, this.#lane.settings.clock, onExpired, look)
  }

  /** Runs only while there is a consumer for the frame: a peer whose frames are not taken may be unable to go on. */
  #startDeadline(): void {
    if (this.#deadline === undefined || this.#in.status !== 'attached') return
    if (this.consumer.isReading && this.#reader.midFrame) this.#deadline.start()
  }

  /** Looks once more in the next turn. After the end of I/O no bell keeps the process for it: what is left does. */
  #again(): void {
    if (this.#in.status === 'attached') {
      this.#lane.host.doorbell.revisit(this)
      return
    }
    setImmediate(() => {
      if (this.onNotify()) this.#again()
    })
  }

  /** Gives frames to the subscriber until there is none, the budget is spent, or it is not subscribed any more. */
  #drain(subscription: Subscription): boolean {
    const { framesReceived, bytesReceived } = this
    // Around the loop, not in it: a frame of 64 bytes would cost a fifth more.
    try {
      return this.#drainFrames(subscription)
    } catch (error) {
      this.#fail(noMemory(error, this.#lane.endpoint))
      return false
    } finally {
      this.#lane.host.onTaken?.(this.framesReceived - framesReceived, this.bytesReceived - bytesReceived)
    }
  }

  #drainFrames(subscription: Subscription): boolean {
    const { handler, borrow } = subscription
    const { consumer } = this
    const reader = this.#reader
    let deadline = Infinity
    let bytes = 0
    let frames = 0
    let more = false
    while (consumer.state === subscription && this.#findFrame()) {
      // Most turns have one frame and need no clock.
      if (frames === 1) deadline = systemClock.now() + TURN_MS
      const length = reader.length
      const frame = borrow ? reader.borrow() : reader.copy()
      // Behind us before the handler runs, which may stop and read on; given back only once it has returned.
      reader.done()
      this.#count(length)
      let pending: Promise<unknown> | undefined
      // Nothing of what the handler looks at may be given back.
      reader.isLent = borrow
      try {
        const result = handler(frame)
        // By way of a promise of our own: a thenable's then() may throw. So may what this looks at.
        if (result !== undefined && isThenable(result)) pending = Promise.resolve(result)
      } catch (cause) {
        if (!this.#events.isOfTheEnd(cause)) {
          reader.isLent = false
          consumer.fail(cause, subscription)
          return false
        }
      }
      reader.isLent = false
      if (reader.ring.unreleased >= reader.ring.capacity >> 2) this.#in.release()
      if (pending !== undefined) {
        void consumer.hold(subscription, pending)
        break
      }
      frames++
      bytes += length
      if (bytes >= TURN_BYTES || (frames % FRAMES_PER_CLOCK_LOOK === 0 && systemClock.now() >= deadline)) {
        more = true
        break
      }
    }
    this.#in.release()
    if (frames > 0) this.lastFrameAt = Date.now()
    return more
  }

  /** Whether a frame is in view; else none came (a notification follows) or it is the end. Throws as the reader. */
  #findFrame(): boolean {
    const stream = this.stream.state.kind
    if (stream !== 'open' && stream !== 'rest') return false
    for (;;) {
      const { state } = this.consumer
      const progress = this.#reader.next(state.kind === 'subscribed' && state.borrow)
      if (progress === 'frame') {
        this.#deadline?.end()
        return true
      }
      if (progress === 'too-large') {
        this.#fail(tooLarge(this.#reader.excess, this.#lane.settings.framing, this.#lane.endpoint))
        return false
      }
      const next = this.#in.status === 'attached' ? this.#in.awaitMore() : 'over'
      if (next === 'more') continue
      if (next === 'over') this.#atEnd()
      else this.#startDeadline()
      return false
    }
  }

  #atEnd(): void {
    // A lane that closed without an end of stream says why only when it is taken down: wait for that.
    if (this.#in.status === 'attached' && !this.#in.hasEnded) return
    const fault = this.#reader.midFrame ? truncated(this.#lane.endpoint) : undefined
    this.#reader.abandon()
    this.stream.exhaust(fault)
  }

  #fail(error: TransportError): void {
    this.#reader.abandon()
    this.stream.fail(error)
  }

  #count(length: number): void {
    this.framesReceived++
    this.bytesReceived += length
    if (this.#pendingReply.sentAt !== 0) this.#lane.host.doorbell.replied(this.#pendingReply)
  }
}
