/** The rings of one segment, as regions that a lane's words can name. Views of larger rings are made when needed. */
import { orderFor, regionIdOf, UNIT_BYTES, UNITS_PER_SLAB } from '../protocol/ring-layout.js'
import type { SlabTable } from '../protocol/slab-table.js'
import type { Segment } from './segment.js'
import { ringOffset, type Direction } from './segment-layout.js'
import type { SlabIds } from './slab-ids.js'

interface Ring {
  readonly ring: number
  readonly direction: Direction
  readonly slab: number
}

export class SegmentRings {
  readonly #segment: Segment
  readonly #slabs: SlabTable
  readonly #ids: SlabIds
  /** Of the first part of the segment. */
  readonly #firstSlab: number
  /** By region. */
  readonly #rings = new Map<number, Ring>()
  /** By direction. */
  readonly #firstRegions: readonly [number, number]

  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS */
  constructor(segment: Segment, slabs: SlabTable, ids: SlabIds) {
    this.#segment = segment
    this.#slabs = slabs
    this.#ids = ids
    this.#firstSlab = ids.take()
    slabs.add({ id: this.#firstSlab, memory: segment.firstPart })
    try {
      this.#firstRegions = [this.#openFirst(0), this.#openFirst(1)]
    } catch (error) {
      this.closeAll()
      throw error
    }
  }

  /** The ring that a direction begins with. */
  first(direction: Direction): number {
    return this.#firstRegions[direction]
  }

  /** A larger one. Undefined: there is none of this number, or no number for it. */
  open(ring: number, direction: Direction): number | undefined {
    const { sizes, firstRing } = this.#segment
    if (!Number.isInteger(ring) || ring <= firstRing || ring >= sizes.length) return undefined
    const slab = this.#ids.tryTake()
    return slab === undefined ? undefined : this.#openIn(slab, ring, direction)
  }

  ringOf(region: number): number {
    return this.#find(region).ring
  }

  directionOf(region: number): Direction {
    return this.#find(region).direction
  }

  /** It is not used any more. */
  close(region: number): void {
    const { slab } = this.#find(region)
    this.#rings.delete(region)
    if (slab === this.#firstSlab) return
    this.#slabs.remove(slab)
    this.#ids.give(slab)
  }

  /** None is used any more. */
  closeAll(): void {
    for (const region of [...this.#rings.keys()]) this.close(region)
    this.#slabs.remove(this.#firstSlab)
    this.#ids.give(this.#firstSlab)
  }

  #openFirst(direction: Direction): number {
    const { sizes, firstRing } = this.#segment
    const unit = ringOffset(sizes, firstRing, direction) / UNIT_BYTES
    if (unit < UNITS_PER_SLAB) return this.#name(firstRing, direction, this.#firstSlab, unit)
    // One of the largest size lies further back than the number of a region can say.
    return this.#openIn(this.#ids.take(), firstRing, direction)
  }

  #openIn(slab: number, ring: number, direction: Direction): number {
    this.#slabs.add({ id: slab, memory: this.#segment.ringMemory(ring, direction) })
    return this.#name(ring, direction, slab, 0)
  }

  #name(ring: number, direction: Direction, slab: number, unit: number): number {
    const region = regionIdOf(slab, unit, orderFor(this.#segment.sizes[ring] ?? 0))
    this.#rings.set(region, { ring, direction, slab })
    return region
  }

  #find(region: number): Ring {
    const ring = this.#rings.get(region)
    if (ring === undefined) throw new Error(`no ring of this segment is region ${String(region)}`)
    return ring
  }
}
