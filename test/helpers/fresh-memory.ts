/** Memory for allocators of a test: made anew each time, and counted. */
import { LaneAllocator } from '../../engine/memory/lane-allocator.js'
import { RegionAllocator, type SlabAnnouncer, type SlabSource } from '../../engine/memory/region-allocator.js'
import { HEADER_SLAB_BYTES } from '../../engine/protocol/lane.js'
import { SLAB_BYTES } from '../../engine/protocol/ring-layout.js'

export class FreshMemory implements SlabSource {
  readonly given: SharedArrayBuffer[] = []
  readonly #bytes: number
  taken = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  take(): SharedArrayBuffer {
    this.taken++
    return new SharedArrayBuffer(this.#bytes)
  }

  give(memory: SharedArrayBuffer): void {
    this.given.push(memory)
  }
}

export function createRegions(announcer: SlabAnnouncer): RegionAllocator {
  return new RegionAllocator(announcer, new FreshMemory(SLAB_BYTES))
}

export function createLanes(
  regions: RegionAllocator,
  announceHeaders: (memory: SharedArrayBuffer) => void = () => undefined,
): LaneAllocator {
  return new LaneAllocator(regions, new FreshMemory(HEADER_SLAB_BYTES), announceHeaders)
}
