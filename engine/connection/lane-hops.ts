/**
 * The hops of one connection. Of each round trip it keeps when main has sent and flushed; when the shard has taken,
 * written and read is in the lane's words. They are recorded when a frame comes, which is the end of a round trip for
 * the side that asks, and for the side that answers the beginning of the next.
 *
 * Bytes that come after a flush are taken for the answer to it. Where several questions are under way at once, that is
 * the answer to an earlier one; the hops still add up to the time from the flush to the frame.
 */
import type { HopTrace } from '../common/hop-trace.js'
import { MOST_TICKS, timeNear } from '../protocol/hop-clock.js'
import { lane } from '../protocol/ring-layout.js'

/** Whose words have the shard's stamps. */
interface StampedLane {
  load(word: number): number
}

/** Times are ticks of the hop clock. */
export class LaneHops {
  readonly #trace: HopTrace
  readonly #lane: StampedLane
  /** When the last frame came. 0: none has. */
  #arrivedAt = 0
  /** When the first frame was sent of what was flushed last. */
  #sentAt = 0
  /** The same of what is not flushed. 0: nothing. */
  #sendingAt = 0
  /** 0: nothing was flushed since a frame came. */
  #flushedAt = 0
  /** When main had written it. 0: that is the shard's to do. */
  #writtenAt = 0

  constructor(trace: HopTrace, of: StampedLane) {
    this.#trace = trace
    this.#lane = of
  }

  now(): number {
    return this.#trace.now()
  }

  /** Something was sent in this turn, and is not flushed. */
  get isSending(): boolean {
    return this.#sendingAt !== 0
  }

  /** The first frame of a turn was sent. `at`: when the host asked for it. */
  sent(at: number): void {
    this.#sendingAt = at
  }

  /** What a turn has sent is about to be published or written. */
  flushed(): void {
    this.#flushedAt = this.now()
    this.#writtenAt = 0
    this.#sentAt = this.#sendingAt
    this.#sendingAt = 0
  }

  /** Main itself has written what was flushed, to a socket or into a segment. */
  written(): void {
    this.#writtenAt = this.now()
  }

  /** A whole frame is there for the host. `lookedAt`: when main began to look for it. */
  arrived(lookedAt: number): void {
    const flushedAt = this.#flushedAt
    this.#flushedAt = 0
    const foundAt = this.now()
    const isTrip = flushedAt !== 0 && foundAt - flushedAt <= MOST_TICKS
    const readAt = isTrip ? this.#recordWayThere(flushedAt, lookedAt, foundAt) : undefined
    // Last, so that what the trace itself takes is a part of a hop.
    this.#arrivedAt = this.now()
    if (readAt !== undefined) this.#trace.record('mainToHost', readAt, this.#arrivedAt)
  }

  /** All hops but the last one. Returns when that began; undefined: they cannot be told. */
  #recordWayThere(flushedAt: number, lookedAt: number, foundAt: number): number | undefined {
    const trace = this.#trace
    const byMain = this.#writtenAt
    const writtenAt = byMain === 0 ? timeNear(this.#lane.load(lane.OUT_WRITTEN_AT), flushedAt) : byMain
    // The answer was there before the shard has noted that it wrote the question; or more was written since.
    if (writtenAt < flushedAt || writtenAt > foundAt) return undefined
    // What came between the send and its flush was nothing that the host waited for.
    if (this.#arrivedAt !== 0 && this.#arrivedAt <= this.#sentAt)
      trace.record('hostToSend', this.#arrivedAt, this.#sentAt)
    trace.record('sendToFlush', this.#sentAt, flushedAt)
    if (byMain === 0) {
      const takenAt = within(timeNear(this.#lane.load(lane.OUT_TAKEN_AT), flushedAt), flushedAt, writtenAt)
      trace.record('flushToShard', flushedAt, takenAt)
      trace.record('shardToWritten', takenAt, writtenAt)
    } else {
      trace.record('flushToWritten', flushedAt, writtenAt)
    }
    // Main may have looked for something else when all of this was yet to come.
    return this.#recordWayBack(writtenAt, Math.max(lookedAt, writtenAt), foundAt)
  }

  #recordWayBack(writtenAt: number, lookedAt: number, foundAt: number): number {
    const trace = this.#trace
    const readAt = timeNear(this.#lane.load(lane.IN_READ_AT), writtenAt)
    // What the shard read last was before the question, or so long ago that it seems to come: main has read this. Or
    // the shard has read more since.
    if (readAt <= writtenAt || readAt > foundAt) {
      trace.record('writtenToRead', writtenAt, lookedAt)
      return lookedAt
    }
    // Main may have been awake before.
    const wokenAt = within(trace.wokenAt, readAt, Math.max(lookedAt, readAt))
    trace.record('writtenToRead', writtenAt, readAt)
    trace.record('readToMain', readAt, wokenAt)
    return wokenAt
  }
}

function within(time: number, from: number, to: number): number {
  return Math.min(Math.max(time, from), to)
}
