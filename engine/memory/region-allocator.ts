/** Main's allocator of ring regions for one shard, cut from slabs of the engine's store. */
import { outOfMemory } from '../protocol/allocation.js'
import {
  MAX_SLAB_ID,
  orderFor,
  orderOfRegion,
  regionBytes,
  regionIdOf,
  sizeOfRegion,
  SLAB_BYTES,
  slabOfRegion,
  unitOfRegion,
} from '../protocol/ring-layout.js'
import { SlabTable, type SlabDescriptor } from '../protocol/slab-table.js'
import { BuddyAllocator } from './buddy-allocator.js'

/** Announces slabs to the shard. `addSlab` resolves once the shard knows the slab, or is lost. */
export interface SlabAnnouncer {
  addSlab(slab: SlabDescriptor): Promise<void>
  removeSlab(id: number): void
}

/** Where slabs come from. `take()` throws ERR_OUT_OF_MEMORY. */
export interface SlabSource {
  take(): SharedArrayBuffer
  give(memory: SharedArrayBuffer): void
}

interface SlabState {
  readonly id: number
  readonly memory: SharedArrayBuffer
  readonly parts: BuddyAllocator
  /** The shard has it in its table. */
  isKnown: boolean
  readonly announced: Promise<void>
}

/** How many slabs without a region in use are kept for the next ring. */
const SPARE_SLABS = 1

export class RegionAllocator {
  readonly table = new SlabTable()
  readonly #announcer: SlabAnnouncer
  readonly #source: SlabSource
  /** The oldest first: they are filled first, so that later ones become empty. */
  readonly #slabs = new Map<number, SlabState>()
  /** Used again, since a region's id has room for few. */
  readonly #freeIds: number[] = []
  #nextId = 1
  #regionsInUse = 0
  #bytesInUse = 0

  constructor(announcer: SlabAnnouncer, source: SlabSource) {
    this.#announcer = announcer
    this.#source = source
  }

  get regionsInUse(): number {
    return this.#regionsInUse
  }

  get bytesInUse(): number {
    return this.#bytesInUse
  }

  /** Bytes of slabs. */
  get memoryBytes(): number {
    return this.#slabs.size * SLAB_BYTES
  }

  /** For a lane that a later call names, after its slab was announced. @throws {TransportError} ERR_OUT_OF_MEMORY */
  take(size: number): number {
    const order = checkedOrder(size)
    for (const slab of this.#slabs.values()) {
      const region = this.#takeFrom(slab, order)
      if (region !== undefined) return region
    }
    const region = this.#takeFrom(this.#addSlab(), order)
    if (region === undefined) throw new Error('a new slab has no room')
    return region
  }

  /**
   * A region that may be named in shared memory at once, since the shard has its slab. Undefined: a slab is being
   * announced, and `onKnown` is called when it may be tried again.
   * @throws {TransportError} ERR_OUT_OF_MEMORY
   */
  takeKnown(size: number, onKnown: () => void): number | undefined {
    const order = checkedOrder(size)
    let awaited: SlabState | undefined
    for (const slab of this.#slabs.values()) {
      if (slab.isKnown) {
        const region = this.#takeFrom(slab, order)
        if (region !== undefined) return region
      } else if (slab.parts.hasRoom(order)) {
        awaited ??= slab
      }
    }
    awaited ??= this.#addSlab()
    void awaited.announced.then(onKnown)
    return undefined
  }

  give(regionId: number): void {
    const slab = this.#slabs.get(slabOfRegion(regionId))
    if (slab?.parts.give(unitOfRegion(regionId), orderOfRegion(regionId)) !== true)
      throw new Error(`region ${String(regionId)} was given back twice`)
    this.#regionsInUse--
    this.#bytesInUse -= sizeOfRegion(regionId)
    if (!slab.parts.isEmpty) return
    let empty = 0
    for (const { parts } of this.#slabs.values()) if (parts.isEmpty) empty++
    if (empty > SPARE_SLABS) this.#removeSlab(slab)
  }

  /** Gives all memory back. No region may be in use any more. */
  dispose(): void {
    for (const { id, memory } of this.#slabs.values()) {
      this.table.remove(id)
      this.#source.give(memory)
    }
    this.#slabs.clear()
  }

  #takeFrom(slab: SlabState, order: number): number | undefined {
    const unit = slab.parts.take(order)
    if (unit === undefined) return undefined
    const regionId = regionIdOf(slab.id, unit, order)
    this.#regionsInUse++
    this.#bytesInUse += sizeOfRegion(regionId)
    return regionId
  }

  #addSlab(): SlabState {
    const id = this.#freeIds.pop() ?? this.#nextId
    if (id > MAX_SLAB_ID) throw outOfMemory(SLAB_BYTES, new RangeError('region ids can name no more slabs'))
    const memory = this.#source.take()
    if (id === this.#nextId) this.#nextId++
    const descriptor = { id, memory }
    this.table.add(descriptor)
    const announced = this.#announcer.addSlab(descriptor).then(() => {
      slab.isKnown = true
    })
    const slab: SlabState = { id, memory, parts: new BuddyAllocator(), isKnown: false, announced }
    this.#slabs.set(id, slab)
    return slab
  }

  #removeSlab({ id, memory }: SlabState): void {
    this.#slabs.delete(id)
    this.table.remove(id)
    this.#announcer.removeSlab(id)
    this.#freeIds.push(id)
    this.#source.give(memory)
  }
}

function checkedOrder(size: number): number {
  if (!(regionBytes as readonly number[]).includes(size))
    throw new Error(`there are no regions of ${String(size)} bytes`)
  return orderFor(size)
}
