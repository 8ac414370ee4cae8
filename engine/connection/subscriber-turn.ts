/**
 * Hands a subscriber what has come, a turn's budget at a time: frame by frame, or in batches. Frames that lie one
 * behind the other are found together, so that what is the same for all of them is done once.
 */
import type { BatchSubscription, FrameConsumer, FrameSubscription, Subscription } from '../common/frame-consumer.js'
import { isThenable } from '../common/handler-failures.js'
import { BufferView } from '../internals/buffer-view.js'
import { systemClock } from '../protocol/clock.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import { giveRun, MOST_FRAMES, takeRun, type FrameRun } from './frame-run.js'
import type { FrameReader } from './frame-reader.js'
import type { InRing } from './in-ring.js'
import type { IncomingStream } from './incoming-stream.js'
import { lending } from './lending.js'
import { LentBatch } from './lent-batch.js'

/** What one connection may take of a turn before the others and the host's own work get theirs. */
const TURN_BYTES = 262_144
const TURN_MS = 1
/** So many frames are handed out one by one before there is a look at the clock. */
const MOST_BETWEEN_LOOKS = 64

/** What was received so far. */
export interface Received {
  frames: number
  bytes: number
  /** Epoch milliseconds. */
  lastAt: number
}

export interface TurnHost {
  readonly consumer: FrameConsumer
  readonly stream: IncomingStream
  readonly received: Received
  /** Whether a frame is in view. Where there is no memory for it, the stream has failed. */
  look(): boolean
  /** A frame has come that may be the reply to what was sent. */
  onFrame(): void
  /** There was no memory for a frame. */
  onNoMemory(cause: unknown): void
  /** Whether a subscriber failed only because the stream is ending. */
  isOfTheEnd(cause: unknown): boolean
}

export class SubscriberTurn {
  readonly #host: TurnHost
  readonly #in: InRing
  readonly #reader: FrameReader

  constructor(host: TurnHost, inRing: InRing) {
    this.#host = host
    this.#in = inRing
    this.#reader = inRing.reader
  }

  /** Until there is no frame, the budget is spent, or it is not subscribed any more. True: there is more. */
  take(subscription: Subscription): boolean {
    const host = this.#host
    const { consumer, received } = host
    const reader = this.#reader
    const { frames, bytes } = received
    const most = subscription.takes === 'batches' ? MOST_FRAMES : MOST_BETWEEN_LOOKS
    const run = takeRun()
    let deadline = Infinity
    let more = false
    lending.isOn = subscription.takes !== 'copies'
    // No try around this: V8 makes a view in one for half as much again.
    while (consumer.state === subscription && host.look()) {
      // Most turns end with what was found together, and need no look at the clock behind it.
      if (deadline !== Infinity && systemClock.now() >= deadline) {
        more = true
        break
      }
      const left = TURN_BYTES - (received.bytes - bytes)
      const count = reader.gather(run, most, left)
      // Most turns have one frame and need no clock.
      if (deadline === Infinity && (count > 1 || received.frames !== frames)) deadline = systemClock.now() + TURN_MS
      host.onFrame()
      const goesOn =
        subscription.takes === 'batches'
          ? this.#giveBatch(subscription, run, count)
          : this.#giveFrames(subscription, run, count)
      if (reader.ring.unreleased >= reader.ring.capacity >> 2) this.#in.release()
      if (!goesOn) break
      if (received.bytes - bytes >= TURN_BYTES) {
        more = true
        break
      }
    }
    lending.isOn = false
    giveRun(run)
    this.#in.release()
    if (received.frames !== frames) received.lastAt = Date.now()
    return more
  }

  /** False: nothing more in this turn. */
  #giveFrames(subscription: FrameSubscription, run: FrameRun, count: number): boolean {
    const { handler } = subscription
    const lends = subscription.takes === 'views'
    if (count === 0) {
      const frame = this.#takeAlone(lends)
      return frame !== undefined && this.#call(subscription, handler, frame, lends)
    }
    const { consumer, stream, received } = this.#host
    const { ring } = this.#reader
    const { slab } = ring
    const { state } = stream
    for (let i = 0; i < count; i++) {
      const offset = run.offsets[i] ?? 0
      const size = run.sizes[i] ?? 0
      const frame = lends ? new BufferView(slab.lendable, offset, size) : this.#copyOf(offset, size)
      if (frame === undefined) return false
      // Behind us before the handler runs, which may stop and read on; given back only once it has returned.
      ring.consume(FRAME_HEADER_BYTES + size)
      received.frames++
      received.bytes += size
      if (!this.#call(subscription, handler, frame, lends)) return false
      // It may have ended its subscription or the stream, and read on by itself.
      if (consumer.state !== subscription || stream.state !== state) return true
    }
    return true
  }

  #giveBatch(subscription: BatchSubscription, run: FrameRun, count: number): boolean {
    const { received } = this.#host
    const { ring } = this.#reader
    let batch: LentBatch
    if (count === 0) {
      const frame = this.#takeAlone(true)
      if (frame === undefined) return false
      run.set(0, frame.byteOffset, frame.length)
      batch = new LentBatch(frame.buffer, run, 1)
    } else {
      batch = new LentBatch(ring.slab.lendable, run, count)
      const headers = count * FRAME_HEADER_BYTES
      const bytes = batch.bytes.length + FRAME_HEADER_BYTES
      ring.consume(bytes)
      received.frames += count
      received.bytes += bytes - headers
    }
    const goesOn = this.#call(subscription, subscription.handler, batch, true)
    batch.end()
    return goesOn
  }

  /** The frame in view, which does not lie in one piece of the ring. Undefined: the stream has failed. */
  #takeAlone(lends: boolean): Buffer | undefined {
    const { received } = this.#host
    const reader = this.#reader
    try {
      const frame = lends ? reader.borrow() : reader.copy()
      reader.done()
      received.frames++
      received.bytes += frame.length
      return frame
    } catch (cause) {
      this.#host.onNoMemory(cause)
      return undefined
    }
  }

  #copyOf(offset: number, size: number): Buffer | undefined {
    try {
      return this.#reader.copyAt(offset, size)
    } catch (cause) {
      this.#host.onNoMemory(cause)
      return undefined
    }
  }

  /** False: it gets nothing more for now. */
  #call<Given>(subscription: Subscription, handler: (given: Given) => unknown, given: Given, isLent: boolean): boolean {
    const reader = this.#reader
    let pending: Promise<unknown>
    // Nothing of what the handler looks at may be given back.
    reader.isLent = isLent
    try {
      const result = handler(given)
      if (result === undefined || !isThenable(result)) {
        reader.isLent = false
        return true
      }
      // By way of a promise of our own: a thenable's then() may throw. So may what this looks at.
      pending = Promise.resolve(result)
    } catch (cause) {
      reader.isLent = false
      if (this.#host.isOfTheEnd(cause)) return true
      this.#host.consumer.fail(cause, subscription)
      return false
    }
    reader.isLent = false
    void this.#host.consumer.hold(subscription, pending)
    return false
  }
}
