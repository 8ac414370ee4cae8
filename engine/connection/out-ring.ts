/** The out ring of a lane, as main fills it: what is published, the queue before it, room, and a larger region. */
import type { DeliveryReport } from '../common/delivery-report.js'
import { distance, RingProducer } from '../protocol/ring.js'
import { grownRingBytes, lane, outWords } from '../protocol/ring-layout.js'
import { DeliveryTracker } from './delivery-tracker.js'
import { FrameWriter } from './frame-writer.js'
import type { Lane } from './connection-lane.js'

export class OutRing {
  readonly ring: RingProducer
  readonly writer: FrameWriter
  /** Undefined: what becomes of each frame is not asked for. */
  readonly tracker: DeliveryTracker | undefined
  readonly #lane: Lane
  readonly #onRegionKnown: () => void
  /** The region before the current one, until the shard has left it. 0: none. */
  #previousRegion = 0
  /** `asked`: a larger region is being made known to the shard, or there is no memory for it yet. */
  #growth: 'possible' | 'asked' = 'possible'
  /** Size of the last frame that the ring had no room for. */
  #queuedFrameBytes = 0

  /** `onRegionKnown`: it is worth calling `grow()` again, if something still waits. */
  constructor(lane: Lane, onRegionKnown: () => void) {
    this.#lane = lane
    this.#onRegionKnown = onRegionKnown
    this.ring = new RingProducer(lane.words, lane.base, outWords, lane.host.slabs)
    const { fetches } = lane.host
    if (fetches !== undefined) this.ring.fetchHead(() => fetches.fetchHead())
    this.writer = new FrameWriter(this.ring)
    const { tracking, framing } = lane.settings
    this.tracker = tracking === undefined ? undefined : new DeliveryTracker(this.ring, framing.kind, tracking)
  }

  /** Bytes that were taken and not confirmed by the operating system. */
  get pendingBytes(): number {
    this.writer.settle()
    this.ring.refreshFree()
    return this.writer.overflowBytes + distance(this.ring.tail, this.ring.head)
  }

  /** Whether there are bytes that were not handed to the operating system. */
  get hasUnsent(): boolean {
    this.writer.settle()
    return this.writer.overflowBytes > 0 || this.#lane.load(lane.OUT_SENT) !== this.ring.tail
  }

  /** Whether nothing waits and half of the ring is free. */
  get hasRoom(): boolean {
    this.writer.settle()
    const half = this.ring.capacity >> 1
    return this.writer.overflowBytes === 0 && (this.ring.free >= half || this.ring.refreshFree() >= half)
  }

  /** Whether the shard has handed over all that was published, so that what is not published comes next on the wire. */
  isNext(): boolean {
    // After a ring has grown, nothing else may happen that has main look whether the shard has left the former region.
    this.retireRegion()
    return this.#previousRegion === 0 && this.ring.isDrained
  }

  /** The first bytes of what is not published have left without the shard. */
  leave(length: number): void {
    this.tracker?.left(length)
    this.ring.retract(length)
  }

  publish(busy = false): void {
    const { ring } = this
    this.writer.settle()
    if (ring.unpublished === 0) return
    ring.publish()
    if (this.#lane.takeArmed(lane.OUT_NOTIFY)) this.#lane.notify(busy)
  }

  /** Has the shard notify when half of the ring is free. True: it is already. */
  awaitRoom(): boolean {
    this.publish()
    const { ring } = this
    // A little that waits in the queue goes in first: ask for that much more, or a second wake-up would have to follow.
    // Not of a peer's main: it leaves a frame of up to half the ring where it is until the rest has come.
    const queued = this.writer.overflowBytes
    const extra = queued <= ring.capacity >> 4 && this.#lane.host.fetches === undefined ? queued : 0
    const at = (ring.tail - (ring.capacity >> 1) + extra) | 0
    this.#lane.store(lane.OUT_SPACE_AT, at)
    this.#lane.store(lane.OUT_SPACE, 1)
    this.#lane.host.fetches?.awaitRoom()
    // Look again: it may have happened just before.
    ring.refreshFree()
    return distance(ring.head, at) >= 0 && this.#lane.takeArmed(lane.OUT_SPACE)
  }

  /** Has the shard notify when all that was published has left. True: it has already. */
  awaitLeft(): boolean {
    const { ring } = this
    this.#lane.store(lane.OUT_SPACE_AT, ring.tail)
    this.#lane.store(lane.OUT_SPACE, 1)
    // Look again: it may have happened just before.
    ring.refreshFree()
    return ring.head === ring.tail
  }

  /** The shard sees it after all that was published. */
  storeIntent(intent: number): void {
    this.#lane.store(lane.OUT_INTENT, intent)
    this.#lane.notify()
  }

  /** Puts a larger region behind the ring, if a frame of this size, or the last one that did not fit, calls for it. */
  grow(frameBytes = this.#queuedFrameBytes): void {
    const { ring } = this
    this.writer.settle()
    this.#queuedFrameBytes = frameBytes
    const wanted = grownRingBytes(ring.capacity, frameBytes, this.#lane.settings.maxRingBytes)
    if (wanted === ring.capacity) return
    this.retireRegion()
    // Not asked of the ring again: the shard may have left the region since, and then it would never be given back.
    if (this.#growth === 'asked' || this.#previousRegion !== 0) return
    const region = this.#lane.host.takeRegion(wanted, () => {
      this.#growth = 'possible'
      this.#onRegionKnown()
    })
    if (region === undefined) {
      this.#growth = 'asked'
      return
    }
    this.#previousRegion = ring.regionId
    this.tracker?.leaveRegion()
    ring.switchTo(region)
  }

  /** Gives the region before the current one back, once the shard has left it. */
  retireRegion(): void {
    if (this.#previousRegion === 0 || !this.ring.settled) return
    this.tracker?.forgetRegion()
    this.#lane.host.giveRegion(this.#previousRegion)
    this.#previousRegion = 0
  }

  /** The shard has given the lane up: what became of everything that was taken, if that is tracked. Once. */
  settle(): DeliveryReport | undefined {
    this.writer.settle()
    const report = this.tracker?.settle(
      this.#lane.load(lane.OUT_HEAD),
      this.#lane.load(lane.OUT_SENT),
      this.writer.queued,
    )
    this.writer.discard()
    return report
  }

  /** The shard has given the lane up: gives back the region that its words do not name any more. */
  release(): void {
    this.retireRegion()
    this.writer.discard()
    this.ring.leave()
  }
}
