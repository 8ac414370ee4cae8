/** Main's allocator of ring regions for one shard: slabs of one size each, made on demand, dropped when empty. */
import { regionBytes, REGIONS_PER_SLAB, SLAB_BYTES } from '../shared/ring-layout.js'
import { SlabTable, type Slab, type SlabDescriptor } from '../shared/region.js'

/** Announces slabs to the shard. `addSlab` resolves once the shard knows the slab, or is lost and will not look any more. */
export interface SlabAnnouncer {
  addSlab(slab: SlabDescriptor): Promise<void>
  removeSlab(id: number): void
}

interface SlabState {
  readonly slab: Slab
  readonly free: number[]
  readonly taken: Set<number>
  readonly count: number
  known: boolean
  announced: Promise<void>
}

/** Empty slabs of a size that are kept for the next ring that grows. */
const SPARE_SLABS = 2

export class RegionAllocator {
  readonly table = new SlabTable()
  readonly #announcer: SlabAnnouncer
  readonly #slabs = new Map<number, SlabState>()
  /** By region size, the slabs that have room. */
  readonly #withRoom = new Map<number, Set<SlabState>>(regionBytes.map((size) => [size, new Set()]))
  #nextSlabId = 1
  #regionsInUse = 0

  constructor(announcer: SlabAnnouncer) {
    this.#announcer = announcer
  }

  get regionsInUse(): number {
    return this.#regionsInUse
  }

  get memoryBytes(): number {
    let bytes = 0
    for (const { slab } of this.#slabs.values()) bytes += slab.memory.byteLength
    return bytes
  }

  /** A region for a lane that is announced by a control call: that call travels behind the slab's own announcement. */
  take(size: number): number {
    const [state] = this.#room(size)
    return this.#takeFrom(state ?? this.#addSlab(size))
  }

  /**
   * A region that may be named in shared memory at once, because the shard is known to have its slab. Undefined:
   * one is being announced, and `onKnown` is called when it may be tried again.
   */
  takeKnown(size: number, onKnown: () => void): number | undefined {
    for (const state of this.#room(size)) if (state.known) return this.#takeFrom(state)
    const [pending] = this.#room(size)
    const state = pending ?? this.#addSlab(size)
    void state.announced.then(onKnown)
    return undefined
  }

  give(regionId: number): void {
    const id = Math.floor(regionId / REGIONS_PER_SLAB)
    const state = this.#slabs.get(id)
    if (state?.taken.delete(regionId) !== true)
      throw new Error(`region ${String(regionId)} was given back twice`)
    state.free.push(regionId)
    this.#regionsInUse--
    const room = this.#room(state.slab.regionBytes)
    room.add(state)
    if (state.free.length < state.count) return
    let spare = 0
    for (const other of room) if (other.free.length === other.count) spare++
    if (spare <= SPARE_SLABS) return
    room.delete(state)
    this.#slabs.delete(id)
    this.table.remove(id)
    this.#announcer.removeSlab(id)
  }

  /** Lets go of all memory: nobody uses any of it any more. */
  dispose(): void {
    for (const id of this.#slabs.keys()) this.table.remove(id)
    this.#slabs.clear()
    for (const room of this.#withRoom.values()) room.clear()
  }

  #room(size: number): Set<SlabState> {
    const room = this.#withRoom.get(size)
    if (room === undefined) throw new Error(`there are no regions of ${String(size)} bytes`)
    return room
  }

  #takeFrom(state: SlabState): number {
    const regionId = state.free.pop()
    if (regionId === undefined) throw new Error('a slab without room was offered')
    state.taken.add(regionId)
    if (state.free.length === 0) this.#room(state.slab.regionBytes).delete(state)
    this.#regionsInUse++
    return regionId
  }

  #addSlab(size: number): SlabState {
    const count = Math.max(1, Math.floor(SLAB_BYTES / size))
    const id = this.#nextSlabId++
    const descriptor = { id, memory: new SharedArrayBuffer(count * size), regionBytes: size }
    const slab = this.table.add(descriptor)
    const free = Array.from({ length: count }, (_, i) => id * REGIONS_PER_SLAB + (count - 1 - i))
    const state: SlabState = {
      slab,
      free,
      taken: new Set(),
      count,
      known: false,
      announced: Promise.resolve(),
    }
    this.#slabs.set(id, state)
    this.#room(size).add(state)
    state.announced = this.#announcer.addSlab(descriptor).then(() => {
      state.known = true
    })
    return state
  }
}
