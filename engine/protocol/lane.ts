/** Lane headers: where the words of lane N are, in whichever thread asks. */
import { LANE_WORDS, LANES_PER_HEADER_SLAB } from './ring-layout.js'

export const HEADER_SLAB_BYTES = LANE_WORDS * LANES_PER_HEADER_SLAB * Int32Array.BYTES_PER_ELEMENT

/** A lane as a shard gets it: the id names the words, and the words name the regions. */
export interface LaneGrant {
  readonly id: number
  readonly generation: number
}

export class LaneTable {
  readonly #slabs: Int32Array[] = []

  addHeaders(memory: SharedArrayBuffer): void {
    this.#slabs.push(new Int32Array(memory))
  }

  get capacity(): number {
    return this.#slabs.length * LANES_PER_HEADER_SLAB
  }

  wordsOf(laneId: number): Int32Array {
    const slab = this.#slabs[Math.floor(laneId / LANES_PER_HEADER_SLAB)]
    if (slab === undefined) throw new Error(`lane ${String(laneId)} was never announced`)
    return slab
  }

  baseOf(laneId: number): number {
    return (laneId % LANES_PER_HEADER_SLAB) * LANE_WORDS
  }
}

/** Takes a handshake word that the other side has armed. The plain load first: most of the time nothing is armed. */
export function takeArmed(words: Int32Array, word: number): boolean {
  return Atomics.load(words, word) !== 0 && Atomics.exchange(words, word, 0) !== 0
}
