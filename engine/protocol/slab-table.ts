/** Slabs, as each thread sees them. */
import { BufferView } from '../internals/buffer-view.js'
import { slabOfRegion, UNIT_BYTES, unitOfRegion } from './ring-layout.js'

/** A slab as it is announced to a shard. */
export interface SlabDescriptor {
  readonly id: number
  /** Not shared where main alone uses it. */
  readonly memory: SharedArrayBuffer | ArrayBuffer
  /** Another view of it. Undefined: the memory cannot be detached, or nobody else needs it. */
  readonly lend?: (() => ArrayBuffer) | undefined
}

/** One thread's views of a slab. All regions of a slab share them: ten thousand rings need no views of their own. */
export class Slab {
  readonly id: number
  readonly memory: SharedArrayBuffer | ArrayBuffer
  readonly bytes: Buffer
  readonly view: DataView
  /** Between threads: copies of a few bytes are slow then. */
  readonly isShared: boolean
  readonly #lend: SlabDescriptor['lend']
  #lent: ArrayBuffer | undefined

  constructor(descriptor: SlabDescriptor) {
    this.id = descriptor.id
    this.memory = descriptor.memory
    this.bytes = new BufferView(descriptor.memory, 0, descriptor.memory.byteLength)
    this.view = new DataView(descriptor.memory)
    this.isShared = descriptor.memory instanceof SharedArrayBuffer
    this.#lend = descriptor.lend
  }

  /** What handlers may look at. One that detaches it detaches nothing that others use. */
  get lendable(): SharedArrayBuffer | ArrayBuffer {
    if (this.#lend === undefined) return this.memory
    if (this.#lent === undefined || this.#lent.byteLength === 0) this.#lent = this.#lend()
    return this.#lent
  }
}

/** Of rings that are over, so that what still holds one holds no memory with it. */
export const NO_SLAB = new Slab({ id: 0, memory: new ArrayBuffer(0) })

/** Finds the slab behind a region id. Both threads have one. */
export class SlabTable {
  readonly #slabs = new Map<number, Slab>()

  add(descriptor: SlabDescriptor): Slab {
    const slab = new Slab(descriptor)
    this.#slabs.set(slab.id, slab)
    return slab
  }

  /** Undefined: there is no such slab. */
  remove(id: number): Slab | undefined {
    const slab = this.#slabs.get(id)
    this.#slabs.delete(id)
    return slab
  }

  slabOf(regionId: number): Slab {
    const slab = this.#slabs.get(slabOfRegion(regionId))
    if (slab === undefined) throw new Error(`ring region ${String(regionId)} was never announced`)
    return slab
  }

  get size(): number {
    return this.#slabs.size
  }
}

/** Where a region begins in its slab. */
export function regionOffset(regionId: number): number {
  return unitOfRegion(regionId) * UNIT_BYTES
}
