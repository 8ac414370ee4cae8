/** Frames of one direction whose lengths and bytes both ends know from the same seed. */
import { patternBytes, Random } from './random.js'

const PATTERN_BYTES = 1_048_576
const pattern = patternBytes(PATTERN_BYTES, 1)

export class FrameSchedule {
  /** How many were asked for. */
  count = 0
  bytes = 0
  readonly #random: Random
  readonly #largest: number
  readonly #isBulk: boolean

  /** `isBulk`: large frames as often as small ones. */
  constructor(seed: number, direction: number, largest: number, isBulk = false) {
    this.#random = new Random(seed, direction)
    this.#largest = largest
    this.#isBulk = isBulk
  }

  /** The next frame. Its place in the pattern is random, so that one that is moved, stale or mixed up shows. */
  next(): Buffer {
    const length = Math.min(this.#length(), this.#largest)
    const from = this.#random.below(PATTERN_BYTES - length)
    this.count++
    this.bytes += length
    return pattern.subarray(from, from + length)
  }

  /** The next frame is this one. @throws If it is not. */
  check(frame: Uint8Array): void {
    const number = this.count
    const expected = this.next()
    if (frame.length !== expected.length) {
      const lengths = `${String(frame.length)} bytes instead of ${String(expected.length)}`
      throw new Error(`frame ${String(number)} has ${lengths}`)
    }
    if (Buffer.compare(frame, expected) !== 0) throw new Error(`frame ${String(number)} has other bytes`)
  }

  #length(): number {
    const random = this.#random
    if (this.#isBulk) return random.below(this.#largest)
    const kind = random.below(1000)
    if (kind < 50) return 0
    if (kind < 800) return random.between(1, 64)
    if (kind < 930) return random.between(64, 1_000)
    // Around the half and the whole of the smallest ring, where the reader changes to streaming.
    if (kind < 950) return random.between(2_040, 2_052)
    if (kind < 970) return random.between(4_084, 4_100)
    if (kind < 990) return random.between(4_096, 40_000)
    return random.between(1, this.#largest)
  }
}
