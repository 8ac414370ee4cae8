/** Main's allocator of lanes for one shard: header slabs grow as needed, ids are handed out again. */
import { TransportError } from '../protocol/errors.js'
import { LaneTable, type LaneGrant } from '../protocol/lane.js'
import { LANE_WORDS, lane, LANES_PER_HEADER_SLAB, MAX_LANES } from '../protocol/ring-layout.js'
import type { RegionAllocator, SlabSource } from './region-allocator.js'

const outRegionWords = [lane.OUT_REGION, lane.OUT_REGION_ACK]
const inRegionWords = [lane.IN_REGION, lane.IN_REGION_ACK, lane.IN_GRANT]

export class LaneAllocator {
  readonly table = new LaneTable()
  readonly #regions: RegionAllocator
  readonly #announceHeaders: (memory: SharedArrayBuffer) => void
  readonly #source: SlabSource
  readonly #headers: SharedArrayBuffer[] = []
  readonly #free: number[] = []
  #inUse = 0

  /** `source` has memory for headers. */
  constructor(regions: RegionAllocator, source: SlabSource, announceHeaders: (memory: SharedArrayBuffer) => void) {
    this.#regions = regions
    this.#source = source
    this.#announceHeaders = announceHeaders
  }

  get inUse(): number {
    return this.#inUse
  }

  /** A lane with two empty rings. @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY */
  take(ringBytes: number): LaneGrant {
    const id = this.#takeId()
    const { out, incoming } = this.#takeRegions(id, ringBytes)
    const words = this.table.wordsOf(id)
    const base = this.table.baseOf(id)
    const generation = Atomics.load(words, base + lane.GENERATION) + 1
    for (let i = 0; i < LANE_WORDS; i++) Atomics.store(words, base + i, 0)
    Atomics.store(words, base + lane.GENERATION, generation)
    for (const word of outRegionWords) Atomics.store(words, base + word, out)
    for (const word of inRegionWords) Atomics.store(words, base + word, incoming)
    Atomics.store(words, base + lane.OUT_NOTIFY, 1)
    Atomics.store(words, base + lane.IN_NOTIFY, 1)
    this.#inUse++
    return { id, generation }
  }

  /** Takes both regions, or none and not the lane either. */
  #takeRegions(id: number, ringBytes: number): { readonly out: number; readonly incoming: number } {
    let out: number | undefined
    try {
      out = this.#regions.take(ringBytes)
      return { out, incoming: this.#regions.take(ringBytes) }
    } catch (error) {
      if (out !== undefined) this.#regions.give(out)
      this.#free.push(id)
      throw error
    }
  }

  /** Takes a lane back whose I/O is finished, with whatever regions its words name. */
  give(grant: LaneGrant): void {
    const words = this.table.wordsOf(grant.id)
    const base = this.table.baseOf(grant.id)
    if (Atomics.load(words, base + lane.GENERATION) !== grant.generation) {
      throw new Error(`lane ${String(grant.id)} was given back twice`)
    }
    Atomics.add(words, base + lane.GENERATION, 1)
    const held = [...outRegionWords, ...inRegionWords].map((word) => Atomics.load(words, base + word))
    for (const region of new Set(held)) this.#regions.give(region)
    this.#free.push(grant.id)
    this.#inUse--
  }

  /** Gives the headers back. No lane may be in use any more. */
  dispose(): void {
    for (const memory of this.#headers.splice(0)) this.#source.give(memory)
  }

  #takeId(): number {
    if (this.#free.length === 0) {
      const first = this.table.capacity
      if (first >= MAX_LANES) {
        throw new TransportError(
          'ERR_TOO_MANY_CONNECTIONS',
          `a shard carries at most ${String(MAX_LANES)} connections. Raise the engine's shards option.`,
        )
      }
      const memory = this.#source.take()
      this.#headers.push(memory)
      this.table.addHeaders(memory)
      this.#announceHeaders(memory)
      for (let i = LANES_PER_HEADER_SLAB - 1; i >= 0; i--) this.#free.push(first + i)
    }
    const id = this.#free.pop()
    if (id === undefined) throw new Error('a new header slab has no lanes')
    return id
  }
}
