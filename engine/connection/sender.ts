/**
 * The sending half of a connection: frames into the out ring, an overflow queue in front of it, and room to wait for.
 */
import { events, type BackpressureEvent } from '../common/diagnostics.js'
import { TransportError } from '../protocol/errors.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import {
  assertFrameable,
  assertLength,
  assertPresent,
  backpressure,
  explainFrame,
  lengthOf,
  partsOf,
  present,
  type Frame,
} from '../common/frame.js'
import { FrameWriter } from './frame-writer.js'
import type { LaneGrant } from '../protocol/lane.js'
import { takeArmed } from '../protocol/lane.js'
import { memoryFailure } from '../protocol/allocation.js'
import { distance, RingProducer } from '../protocol/ring.js'
import { FRAME_HEADER_BYTES, grownRingBytes, intent, lane, outWords } from '../protocol/ring-layout.js'
import { abortError, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { Flushable, LaneHost, PendingReply } from './lane-host.js'
import type { ConnectionSettings } from './connection-settings.js'
import { DeliveryTracker } from './delivery-tracker.js'

/**
 * A turn that writes more than this publishes on the way, so that the shard starts before the turn ends. Smaller is
 * slower: each publication may wake the shard (64 B frames: 13.8 times naive `net` per frame, 19.5 per batch).
 */
const EAGER_PUBLISH_BYTES = 32_768

type State =
  | { readonly kind: 'open' }
  /** No more frames are taken; those taken before still leave, then the stream ends. */
  | { readonly kind: 'ending' }
  /** `error`: what ended it, if it was no clean end. */
  | { readonly kind: 'closed'; readonly error: TransportError | undefined }

const OPEN: State = { kind: 'open' }
const ENDING: State = { kind: 'ending' }

export class Sender implements Flushable {
  framesSent = 0
  bytesSent = 0
  lastFlushAt = 0
  readonly #id: string
  readonly #host: LaneHost
  readonly #lane: LaneGrant
  readonly #words: Int32Array
  readonly #base: number
  readonly #options: ConnectionSettings
  readonly #endpoint: string
  readonly #watch: PendingReply
  readonly #writer: FrameWriter
  readonly #ring: RingProducer
  /** Knows what becomes of each frame, if somebody will want to know. */
  readonly #tracking: DeliveryTracker | undefined
  readonly #maxFrameBytes: number
  /** Whether there are frames that the framing cannot carry. */
  readonly #isPicky: boolean
  #state: State = OPEN
  #dirty = false
  #growthAsked = false
  /** Size of the last frame that the ring had no room for. */
  #queuedFrameBytes = 0
  /** The region before the current one, until the shard has left it. 0: none. */
  #previousRegion = 0
  readonly #waiters = new Set<Waiter<void>>()
  readonly #endWaiters = new Set<Waiter<void>>()
  /** The shard has flushed everything and ended the stream, or it is gone. */
  #hasEnded = false
  #endIntent: number = intent.END
  /** Observers were told that `send()` has said false, and there has not been room since. */
  #pressed = false

  constructor(
    id: string,
    host: LaneHost,
    grant: LaneGrant,
    options: ConnectionSettings,
    endpoint: string,
    watch: PendingReply,
  ) {
    this.#id = id
    this.#host = host
    this.#lane = grant
    this.#words = host.wordsOf(grant)
    this.#base = host.baseOf(grant)
    this.#options = options
    this.#endpoint = endpoint
    this.#watch = watch
    this.#maxFrameBytes = options.maxFrameBytes
    this.#isPicky = ['line', 'nul', 'raw'].includes(options.framing.kind)
    this.#ring = new RingProducer(this.#words, this.#base, outWords, host.slabs)
    this.#writer = new FrameWriter(this.#ring)
    const { tracking, framing } = options
    this.#tracking = tracking === undefined ? undefined : new DeliveryTracker(this.#ring, framing.kind, tracking)
  }

  send(frame: Frame): boolean {
    if (this.#state !== OPEN) throw this.#refusal()
    try {
      if (this.#isPicky) {
        const bytes = frame instanceof Uint8Array ? present(frame, this.#endpoint) : partsOf(frame, this.#endpoint)
        assertFrameable(this.#options.framing.kind, bytes, this.#endpoint)
      }
      if (this.#tracking?.isFull === true) this.#makeRoom(this.#tracking)
      if (frame instanceof Uint8Array && frame.length <= this.#maxFrameBytes) {
        if (frame.length === 0) assertPresent(frame, this.#endpoint)
        if (this.#writer.tryWrite(frame)) {
          this.#taken(frame.length)
          return true
        }
      }
      return this.#sendSlowly(frame)
    } catch (error) {
      throw explainFrame(error, frame, this.#endpoint)
    }
  }

  /** Bytes taken by `send()` that the operating system has not confirmed. */
  get pendingBytes(): number {
    this.#ring.refreshFree()
    return this.#writer.overflowBytes + distance(this.#ring.tail, this.#ring.head)
  }

  /** Whether there are bytes that were not handed to the operating system. */
  get hasUnsent(): boolean {
    return this.#writer.overflowBytes > 0 || Atomics.load(this.#words, this.#base + lane.OUT_SENT) !== this.#ring.tail
  }

  get isOpen(): boolean {
    return this.#state === OPEN
  }

  /** Nothing leaves any more. */
  get isOver(): boolean {
    return this.#state.kind === 'closed'
  }

  ready(options: WaitOptions): Promise<void> {
    if (this.#state !== OPEN) return Promise.reject(this.#refusal())
    if (options.signal?.aborted === true) {
      return Promise.reject(abortError('waiting for room', this.#endpoint, options.signal.reason))
    }
    if (this.#hasRoom()) return Promise.resolve()
    const waiter = new Waiter<void>('waiting for room', this.#endpoint, options, this.#options.clock, () => {
      this.#waiters.delete(waiter)
    })
    this.#waiters.add(waiter)
    this.#wantRoom()
    return waiter.promise
  }

  /** No frame is taken from here on; resolves when all have left and the end of stream was sent. */
  end(options: WaitOptions = {}): Promise<void> {
    if (this.#state.kind === 'open') this.#beginEnd()
    if (this.#hasEnded || this.#state.kind === 'closed') return Promise.resolve()
    if (options.signal?.aborted === true) {
      return Promise.reject(abortError('ending', this.#endpoint, options.signal.reason))
    }
    const waiter = new Waiter<void>('ending', this.#endpoint, options, this.#options.clock, () => {
      this.#endWaiters.delete(waiter)
    })
    this.#endWaiters.add(waiter)
    return waiter.promise
  }

  /** The connection is to be closed: where there is no half-close, the end takes the incoming side with it. */
  endAll(): void {
    this.#endIntent = intent.CLOSE
    if (this.#state.kind === 'open') {
      this.#beginEnd()
    } else if (this.#state.kind === 'ending') {
      this.#proceed()
    }
  }

  /** The shard has flushed everything and ended the stream. */
  onEnded(): void {
    this.#hasEnded = true
    for (const waiter of this.#endWaiters) waiter.resolve()
    this.#endWaiters.clear()
  }

  /** The shard has moved HEAD, or a region that was asked for is there. */
  onNotify(): void {
    if (this.#state.kind === 'closed') return
    this.#retireRegion()
    if (this.#writer.overflowBytes > 0 || this.#waiters.size > 0) this.#proceed()
    if (!this.#pressed) return
    if (this.#hasRoom()) this.#relieve()
    else this.#wantRoom()
  }

  flush(): void {
    this.#dirty = false
    if (this.#state.kind === 'closed') return
    this.#publish()
    this.lastFlushAt = Date.now()
    this.#host.doorbell.awaitReply(this.#watch)
  }

  /** I/O is over. Everybody who waits is told; `end()` resolves, because there is nothing left to wait for. */
  close(error: TransportError | undefined): void {
    if (this.#state.kind === 'closed') return
    this.#state = { kind: 'closed', error }
    if (this.#tracking === undefined) this.#writer.discard()
    this.#refuseWaiters()
    this.onEnded()
    if (this.#pressed) this.#relieve()
  }

  /** The shard has let go of the lane: what became of everything that was taken. Once, and only with `salvage`. */
  settleFate(): DeliveryReport | undefined {
    const head = Atomics.load(this.#words, this.#base + lane.OUT_HEAD)
    const sent = Atomics.load(this.#words, this.#base + lane.OUT_SENT)
    const fate = this.#tracking?.settle(head, sent, this.#writer.queued)
    this.#writer.discard()
    return fate
  }

  /** The shard has let go of the lane: gives back the region that its words do not name any more. */
  release(): void {
    this.#retireRegion()
    this.#ring.leave()
  }

  #taken(length: number): void {
    this.framesSent++
    this.bytesSent += length
    this.#tracking?.took(length)
    if (!this.#dirty) {
      this.#dirty = true
      this.#host.doorbell.flushSoon(this)
    } else if (this.#ring.unpublished >= EAGER_PUBLISH_BYTES) {
      this.#publish(true)
    }
  }

  #sendSlowly(frame: Frame): boolean {
    const parts = partsOf(frame, this.#endpoint)
    const length = lengthOf(parts)
    assertLength(length, this.#maxFrameBytes, this.#endpoint)
    const size = length + FRAME_HEADER_BYTES
    const overflow = this.#writer.overflowBytes
    if (overflow > 0 && overflow + size > this.#options.maxPendingBytes) {
      throw backpressure(overflow, this.#options.maxPendingBytes, this.#endpoint)
    }
    if (this.#ring.refreshFree() < size) {
      this.#queuedFrameBytes = size
      this.#grow()
    }
    this.#queue(parts, length)
    this.#taken(length)
    if (this.#writer.overflowBytes === 0) return true
    this.#publish()
    this.#wantRoom()
    if (!this.#pressed && events.backpressureOn.hasSubscribers) this.#press()
    return false
  }

  #queue(parts: readonly Uint8Array[], length: number): void {
    try {
      this.#writer.writeOrQueue(parts, length)
    } catch (error) {
      throw memoryFailure(error, this.#endpoint) ?? error
    }
  }

  #makeRoom(tracking: DeliveryTracker): void {
    try {
      tracking.makeRoom()
    } catch (error) {
      throw memoryFailure(error, this.#endpoint) ?? error
    }
  }

  #publish(busy = false): void {
    const ring = this.#ring
    if (ring.unpublished === 0) return
    ring.publish()
    if (takeArmed(this.#words, this.#base + lane.OUT_NOTIFY)) this.#host.notify(this.#lane.id, busy)
  }

  /** Moves on whatever waits: queued bytes into the ring, waiters for room, the end of the stream. */
  #proceed(): void {
    if (this.#writer.overflowBytes > 0) {
      const empty = this.#writer.refill()
      if (!empty) this.#grow()
      this.#publish()
      if (!empty) {
        this.#wantRoom()
        return
      }
    }
    if (this.#state === ENDING) {
      this.#publish()
      // After the last TAIL: a shard that sees END knows that no byte follows.
      Atomics.store(this.#words, this.#base + lane.OUT_INTENT, this.#endIntent)
      this.#host.notify(this.#lane.id)
      return
    }
    if (this.#waiters.size === 0) return
    if (this.#hasRoom()) {
      for (const waiter of this.#waiters) waiter.resolve()
      this.#waiters.clear()
    } else {
      this.#wantRoom()
    }
  }

  #hasRoom(): boolean {
    const half = this.#ring.capacity >> 1
    return this.#writer.overflowBytes === 0 && (this.#ring.free >= half || this.#ring.refreshFree() >= half)
  }

  /** Asks the shard for a ring when half of the ring is free, then looks again: it may have happened just before. */
  #wantRoom(): void {
    this.#publish()
    const ring = this.#ring
    // A little that waits in the queue goes in first: ask for that much more, or a second wake-up would have to follow.
    const queued = this.#writer.overflowBytes
    const extra = queued <= ring.capacity >> 4 ? queued : 0
    const at = (ring.tail - (ring.capacity >> 1) + extra) | 0
    Atomics.store(this.#words, this.#base + lane.OUT_SPACE_AT, at)
    Atomics.store(this.#words, this.#base + lane.OUT_SPACE, 1)
    ring.refreshFree()
    if (distance(ring.head, at) >= 0 && takeArmed(this.#words, this.#base + lane.OUT_SPACE)) {
      // From the top of the next turn: the caller may be in the middle of a send.
      this.#host.doorbell.revisit({
        onNotify: () => {
          this.onNotify()
          return false
        },
      })
    }
  }

  /** Puts a larger region behind the ring, if the frame that did not fit calls for one. */
  #grow(): void {
    const ring = this.#ring
    const wanted = grownRingBytes(ring.capacity, this.#queuedFrameBytes, this.#options.maxRingBytes)
    if (wanted === ring.capacity) return
    this.#retireRegion()
    // Not asked of the ring again: the shard may have left the region since, and then it would never be given back.
    if (this.#growthAsked || this.#previousRegion !== 0) return
    const region = this.#host.takeRegion(wanted, () => {
      this.#growthAsked = false
      if (this.#state.kind === 'closed' || this.#writer.overflowBytes === 0) return
      this.#grow()
      this.#proceed()
    })
    if (region === undefined) {
      this.#growthAsked = true
      return
    }
    this.#previousRegion = ring.regionId
    this.#tracking?.leaveRegion()
    ring.switchTo(region)
  }

  #retireRegion(): void {
    if (this.#previousRegion === 0 || !this.#ring.settled) return
    this.#tracking?.forgetRegion()
    this.#host.giveRegion(this.#previousRegion)
    this.#previousRegion = 0
  }

  #press(): void {
    this.#pressed = true
    events.backpressureOn.publish(this.#pressure())
  }

  #relieve(): void {
    this.#pressed = false
    events.backpressureOff.publish(this.#pressure())
  }

  #pressure(): BackpressureEvent {
    return { id: this.#id, endpoint: this.#endpoint, pendingBytes: this.pendingBytes }
  }

  #beginEnd(): void {
    this.#state = ENDING
    this.#refuseWaiters()
    this.#proceed()
  }

  #refuseWaiters(): void {
    // Seldom anybody waits, and an error with its stack costs more than all the rest of an end.
    if (this.#waiters.size === 0) return
    const error = this.#refusal()
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters.clear()
  }

  #refusal(): TransportError {
    const cause = this.#state.kind === 'closed' ? this.#state.error : undefined
    if (cause !== undefined && cause.code !== 'ERR_CLOSED') {
      return new TransportError('ERR_CLOSED', 'the connection is closed. Connect again; `closed` says why it ended.', {
        cause,
        endpoint: this.#endpoint,
      })
    }
    return new TransportError('ERR_CLOSED', 'the connection is closed or ending: no more frames can be sent.', {
      endpoint: this.#endpoint,
    })
  }
}
