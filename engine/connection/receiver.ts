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
import { FrameDeadline } from '../protocol/frame-deadline.js'
import { distance } from '../protocol/ring.js'
import { faultAtEnd, frameTimeout, noMemory, tooLarge, truncated } from './connection-errors.js'
import type { FrameReader } from './frame-reader.js'
import { InRing } from './in-ring.js'
import { IncomingStream, type StreamEvents } from './incoming-stream.js'
import type { Lane } from './connection-lane.js'
import type { NotifyHandler, PendingReply } from './lane-host.js'
import { SubscriberTurn, type Received, type TurnHost } from './subscriber-turn.js'
import { HandlerDrain, type HandlerDrainEvents, type HandlerDrainSource } from './handler-drain.js'

/** What the receiving half tells its connection. */
export interface ReceiverEvents extends ConsumerEvents, HandlerDrainEvents, StreamEvents {
  /** A subscriber failed: the connection must go, unless `closed` has settled (`isLate`). Returns what ends it. */
  onHandlerFailed(cause: unknown, isLate: boolean): TransportError
}

export class Receiver implements NotifyHandler, FrameSource, HandlerDrainSource, TurnHost {
  readonly consumer: FrameConsumer
  readonly stream: IncomingStream
  readonly handlers: HandlerDrain
  readonly received: Received = { frames: 0, bytes: 0, lastAt: 0 }
  isServing = false
  readonly #lane: Lane
  readonly #pendingReply: PendingReply
  readonly #events: ReceiverEvents
  readonly #in: InRing
  readonly #reader: FrameReader
  readonly #turn: SubscriberTurn
  /** Undefined: frames may take as long as they like. */
  readonly #deadline: FrameDeadline | undefined
  /** As far as the host knows. */
  #toldFrames = 0
  #toldBytes = 0

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
    this.#turn = new SubscriberTurn(this, this.#in)
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
    } catch (cause) {
      this.onNoMemory(cause)
      return undefined
    }
    this.#reader.done()
    this.onFrame()
    this.received.frames++
    this.received.bytes += frame.length
    this.received.lastAt = Date.now()
    this.#tellTaken()
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
  look(): boolean {
    try {
      return this.#findFrame()
    } catch (cause) {
      this.onNoMemory(cause)
      return false
    }
  }

  onFrame(): void {
    if (this.#pendingReply.sentAt !== 0) this.#lane.host.doorbell.replied(this.#pendingReply)
  }

  onNoMemory(cause: unknown): void {
    this.#fail(noMemory(cause, this.#lane.endpoint))
  }

  isOfTheEnd(cause: unknown): boolean {
    return this.#events.isOfTheEnd(cause)
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

  /** Gives the subscriber a turn's budget of frames. True: there is more. */
  #drain(subscription: Subscription): boolean {
    this.isServing = true
    const more = this.#turn.take(subscription)
    this.isServing = false
    this.#tellTaken()
    return more
  }

  /** A subscriber may read on by itself: what the host knows of by then is not told again. */
  #tellTaken(): void {
    const { onTaken } = this.#lane.host
    const { traffic } = this.#lane.settings
    if (onTaken === undefined && traffic === undefined) return
    const { frames, bytes } = this.received
    onTaken?.(frames - this.#toldFrames, bytes - this.#toldBytes)
    if (traffic !== undefined) {
      traffic.framesReceived += frames - this.#toldFrames
      traffic.bytesReceived += bytes - this.#toldBytes
    }
    this.#toldFrames = frames
    this.#toldBytes = bytes
  }

  /** Whether a frame is in view; else none came (a notification follows) or it is the end. Throws as the reader. */
  #findFrame(): boolean {
    const stream = this.stream.state.kind
    if (stream !== 'open' && stream !== 'rest') return false
    for (;;) {
      const { state } = this.consumer
      const progress = this.#reader.next(state.kind === 'subscribed' && state.takes !== 'copies')
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
}
