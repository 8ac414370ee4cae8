/** Words of lanes that main alone uses. They are handed out again, as lanes of shards are. */
import type { LaneGrant } from '../protocol/lane.js'
import { LANE_WORDS, LANES_PER_HEADER_SLAB } from '../protocol/ring-layout.js'

export class LaneWordTable {
  readonly #pages: Int32Array[] = []
  readonly #free: number[] = []
  #generation = 0
  #known = 0

  /** Words that are all zero. */
  take(): LaneGrant {
    const id = this.#free.pop() ?? this.#known++
    const page = Math.floor(id / LANES_PER_HEADER_SLAB)
    this.#pages[page] ??= new Int32Array(LANE_WORDS * LANES_PER_HEADER_SLAB)
    const base = this.baseOf(id)
    this.wordsOf(id).fill(0, base, base + LANE_WORDS)
    return { id, generation: ++this.#generation }
  }

  give({ id }: LaneGrant): void {
    this.#free.push(id)
  }

  wordsOf(id: number): Int32Array {
    const page = this.#pages[Math.floor(id / LANES_PER_HEADER_SLAB)]
    if (page === undefined) throw new Error(`there are no words of lane ${String(id)}`)
    return page
  }

  baseOf(id: number): number {
    return (id % LANES_PER_HEADER_SLAB) * LANE_WORDS
  }
}
