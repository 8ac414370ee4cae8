/** The in ring of a lane, as main reads it: what has come, space that goes back to the shard, and a larger region. */
import { distance, RingConsumer } from '../protocol/ring.js'
import { grownRingBytes, inState, inWords, lane, life } from '../protocol/ring-layout.js'
import { detachRing, NOTHING_UNREAD } from './detached-ring.js'
import { FrameReader } from './frame-reader.js'
import type { Lane } from './connection-lane.js'

export class InRing {
  readonly reader: FrameReader
  /** `detaching`: the lane is being given back, and what was unread lies in main's memory; `detached`: it was. */
  status: 'attached' | 'detaching' | 'detached' = 'attached'
  readonly #lane: Lane
  /** The region that the reader is in, as far as the host knows. */
  #region: number
  /** `asked`: a larger region is being made known to the shard, or there is no memory for it yet. */
  #growth: 'possible' | 'asked' = 'possible'

  constructor(lane: Lane) {
    this.#lane = lane
    const ring = new RingConsumer(lane.words, lane.base, inWords, lane.host.slabs)
    this.reader = new FrameReader(ring, lane.settings.maxFrameBytes)
    this.#region = ring.regionId
  }

  /** The position behind all that has come. */
  get end(): number {
    const { ring } = this.reader
    if (this.status !== 'attached') return (ring.head + ring.refresh()) | 0
    this.#lane.host.fetches?.fetchTail()
    return this.#lane.load(lane.IN_TAIL)
  }

  /** Whether bytes have come that were not taken: the shard, the ring or the reader may have them. */
  get hasUnread(): boolean {
    const { ring, midFrame } = this.reader
    return this.#lane.load(lane.IN_TAIL) !== ring.head || this.#lane.load(lane.IN_HELD) !== 0 || midFrame
  }

  /** Whether the peer has ended its side. */
  get hasEnded(): boolean {
    return this.#lane.load(lane.IN_STATE) === inState.ENDED
  }

  /** Has the shard notify of the next byte and of the end although there is no consumer. */
  guard(): void {
    // Stays armed until something comes, so that a later reader may be notified once for nothing.
    this.#lane.store(lane.IN_GUARD, 1)
  }

  /** No whole frame is there: has the shard notify when to look again. `more`: look now; `over`: nothing will come. */
  awaitMore(): 'more' | 'none yet' | 'over' {
    this.release()
    const { ring, wants } = this.reader
    // The end before the tail: bytes found after it are the last ones.
    const over = this.hasEnded || this.#lane.load(lane.LIFE) === life.CLOSED
    const enough = (ring.seen + wants) | 0
    // Arm, then look again: the shard may have published before it could see that we want to know.
    this.#lane.store(lane.IN_NOTIFY_AT, enough)
    this.#lane.store(lane.IN_NOTIFY, 1)
    this.#lane.host.fetches?.awaitBytes()
    ring.refresh()
    if (distance(ring.seen, enough) < 0) return over ? 'over' : 'none yet'
    this.#lane.store(lane.IN_NOTIFY, 0)
    return 'more'
  }

  /** Gives consumed bytes back; tells the shard if it waits for them; returns a region that was read to its end. */
  release(): void {
    const { ring, isLent } = this.reader
    if (isLent) return
    if (ring.unreleased !== 0) {
      ring.release()
      this.#lane.host.fetches?.released()
    }
    if (this.status !== 'attached') return
    if (ring.regionId !== this.#region) this.#retireRegion()
    if (
      this.#lane.load(lane.IN_SPACE) !== 0 &&
      distance(ring.head, this.#lane.load(lane.IN_SPACE_AT)) >= 0 &&
      this.#lane.takeArmed(lane.IN_SPACE)
    ) {
      // The shard had stopped for want of room, so there is a ring full to go on with.
      this.#lane.notify(true)
    }
  }

  /** If the shard asks for a larger ring. A request that is not granted stays, for when larger frames have come. */
  grantGrowth(): void {
    if (this.status !== 'attached' || this.#lane.load(lane.IN_GROW) === 0) return
    // At most one region is behind us and not given back yet: it must be gone before another change can follow.
    this.#retireRegion()
    const current = this.#lane.load(lane.IN_REGION)
    if (this.#lane.load(lane.IN_GRANT) !== current || this.#lane.load(lane.IN_REGION_ACK) !== current) return
    const { ring, length } = this.reader
    const wanted = grownRingBytes(ring.capacity, length, this.#lane.settings.maxRingBytes)
    if (wanted === ring.capacity || this.#growth === 'asked') return
    const region = this.#lane.host.takeRegion(wanted, () => {
      this.#growth = 'possible'
      this.grantGrowth()
    })
    if (region === undefined) {
      this.#growth = 'asked'
      return
    }
    this.#lane.store(lane.IN_GRANT, region)
    this.#lane.store(lane.IN_GROW, 0)
  }

  /**
   * Moves what is unread into main's memory, where the reader goes on, and returns it; drops it unless `keeps`.
   * @throws {TransportError} ERR_OUT_OF_MEMORY; then it is dropped too.
   */
  detach(keeps: boolean): Buffer {
    let rest = NOTHING_UNREAD
    try {
      if (keeps) rest = detachRing(this.reader.ring)
    } finally {
      this.#retireRegion()
      this.status = 'detaching'
      this.reader.ring = rest.ring
    }
    return rest.bytes
  }

  #retireRegion(): void {
    const { regionId } = this.reader.ring
    if (regionId === this.#region) return
    this.#lane.host.giveRegion(this.#region)
    this.#region = regionId
  }
}
