/** The rings of one segment, as regions that a lane's words can name. Views of larger rings are made when needed. */
import { orderFor, regionIdOf, slabOfRegion, UNIT_BYTES, UNITS_PER_SLAB } from '../protocol/ring-layout.js'
import { SlabTable } from '../protocol/slab-table.js'
import type { Segment } from './segment.js'
import { ringOffset, type Direction } from './segment-layout.js'

/** The first part of the segment: the header, and the first rings with all that are smaller. */
const FIRST_SLAB = 1
/** Each other ring is a slab of its own. */
const RING_SLABS = 2

export class SegmentRings {
  readonly slabs = new SlabTable()
  readonly #segment: Segment

  constructor(segment: Segment) {
    this.#segment = segment
    this.slabs.add({ id: FIRST_SLAB, memory: segment.firstPart, lend: () => segment.lendFirstPart() })
  }

  /** The ring that a direction begins with. */
  first(direction: Direction): number {
    const { sizes, firstRing } = this.#segment
    const unit = ringOffset(sizes, firstRing, direction) / UNIT_BYTES
    // One of the largest size lies further back than the number of a region can say.
    if (unit >= UNITS_PER_SLAB) return this.#open(firstRing, direction)
    return regionIdOf(FIRST_SLAB, unit, orderFor(sizes[firstRing] ?? 0))
  }

  /** A larger one. Undefined: there is none of this number. */
  open(ring: number, direction: Direction): number | undefined {
    const { sizes, firstRing } = this.#segment
    const isThere = Number.isInteger(ring) && ring > firstRing && ring < sizes.length
    return isThere ? this.#open(ring, direction) : undefined
  }

  ringOf(region: number): number {
    const slab = slabOfRegion(region)
    return slab === FIRST_SLAB ? this.#segment.firstRing : (slab - RING_SLABS) >> 1
  }

  directionOf(region: number): Direction {
    const slab = slabOfRegion(region)
    if (slab === FIRST_SLAB) return region === this.first(0) ? 0 : 1
    return slab % 2 === 0 ? 0 : 1
  }

  /** It is not used any more. */
  close(region: number): void {
    const slab = slabOfRegion(region)
    if (slab !== FIRST_SLAB) this.slabs.remove(slab)
  }

  #open(ring: number, direction: Direction): number {
    const id = RING_SLABS + 2 * ring + direction
    const lend = (): ArrayBuffer => this.#segment.lendRing(ring, direction)
    this.slabs.add({ id, memory: this.#segment.ringMemory(ring, direction), lend })
    return regionIdOf(id, 0, orderFor(this.#segment.sizes[ring] ?? 0))
  }
}
