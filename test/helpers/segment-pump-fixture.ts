/** A segment pump alone: the words of a lane, those of a segment, and a host that records what it is asked for. */
import { framingFaults } from '../../engine/protocol/framing.js'
import { lane, LANE_WORDS, life, orderFor, regionIdOf } from '../../engine/protocol/ring-layout.js'
import {
  HEADER_BYTES,
  ringSizesUpTo,
  word,
  wordsOf,
  type Direction,
} from '../../engine/shared-memory/segment-layout.js'
import { SegmentPump, type PumpHost } from '../../engine/shared-memory/segment-pump.js'

/** Of all sizes that there are. */
export const sizes = ringSizesUpTo(8_388_608) ?? []
/** Both directions begin with it, unless a test says otherwise. There is one larger. */
export const FIRST_RING = 5
/** Not the first lane of its page: what is written elsewhere shows. */
const BASE = LANE_WORDS

const BROKEN = -1 - framingFaults.indexOf('ERR_FRAMING')

export function segmentWords(firstRing = FIRST_RING): Int32Array {
  const words = new Int32Array(HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT)
  for (const direction of [0, 1] as const) {
    words[wordsOf(direction) + word.RING] = firstRing
    words[wordsOf(direction) + word.RING_ACK] = firstRing
  }
  return words
}

export function sizeOf(ring: number): number {
  return sizes[ring] ?? 0
}

export class PumpFixture implements PumpHost {
  readonly words = new Int32Array(3 * LANE_WORDS)
  readonly pump: SegmentPump
  /** `wake`, `close`, `revisit`, `look`, in the order in which they were asked for. */
  calls: string[] = []
  /** There are no numbers of regions left. */
  isFull = false
  readonly #shared: Int32Array
  readonly #out: number
  readonly #in: number

  /** `outgoing`: the direction in which this side sends. */
  constructor(firstRing = FIRST_RING, outgoing: Direction = 0, shared = segmentWords(firstRing)) {
    this.#shared = shared
    this.#out = wordsOf(outgoing)
    this.#in = wordsOf(outgoing === 0 ? 1 : 0)
    const { OUT_REGION, OUT_REGION_ACK, IN_REGION, IN_REGION_ACK } = lane
    for (const at of [OUT_REGION, OUT_REGION_ACK, IN_REGION, IN_REGION_ACK]) this.lay(at, this.region(firstRing))
    const parts = { words: shared, out: this.#out, in: this.#in }
    this.pump = new SegmentPump({ words: this.words, base: BASE }, parts, firstRing, this)
  }

  wakePeer(): void {
    this.calls.push('wake')
  }

  closeSocket(): void {
    this.calls.push('close')
  }

  revisit(): void {
    this.calls.push('revisit')
  }

  lookSoon(): void {
    this.calls.push('look')
  }

  incomingRegion(ring: number): number | undefined {
    return this.isFull || sizes[ring] === undefined ? undefined : this.region(ring)
  }

  outgoingRing(region: number): number {
    return sizes.findIndex((_, ring) => this.region(ring) === region)
  }

  /** The same number for both directions, which a lane does not mind. */
  region(ring: number): number {
    return regionIdOf(10 + ring, 0, orderFor(sizeOf(ring)))
  }

  /** Writes a word of the lane, as main does. */
  lay(at: number, value: number): void {
    this.words[BASE + at] = value
  }

  of(at: number): number {
    return this.words[BASE + at] ?? 0
  }

  /** Words of the segment, of the direction in which the peer sends. */
  setIn(at: number, value: number): void {
    this.#shared[this.#in + at] = value
  }

  getIn(at: number): number {
    return this.#shared[this.#in + at] ?? 0
  }

  /** Of the direction in which this side sends. */
  setOut(at: number, value: number): void {
    this.#shared[this.#out + at] = value
  }

  getOut(at: number): number {
    return this.#shared[this.#out + at] ?? 0
  }

  /** Main publishes up to here. */
  publish(tail: number): void {
    this.lay(lane.OUT_TAIL, tail)
    this.pump.onNotify()
  }

  /** Main goes on in a larger ring, from here. */
  switchTo(ring: number, at: number): void {
    this.lay(lane.OUT_SWITCH_AT, at)
    this.lay(lane.OUT_REGION, this.region(ring))
  }

  /** The reader has followed the peer into its ring. */
  followed(): void {
    this.lay(lane.IN_REGION_ACK, this.of(lane.IN_REGION))
  }

  get isClosed(): boolean {
    return this.of(lane.LIFE) === life.CLOSED
  }

  /** The connection is over since the peer wrote what cannot be. */
  get isBroken(): boolean {
    return this.isClosed && this.of(lane.FAILURE) === BROKEN
  }

  /** Nothing was written that is not this lane's. */
  get isAlone(): boolean {
    return this.words.every((value, at) => value === 0 || (at >= BASE && at < BASE + LANE_WORDS))
  }
}
