/**
 * The free and taken parts of one slab, by the buddy system (Kenneth Knowlton, "A fast storage allocator",
 * Communications of the ACM 8, 1965): a block of 2^n units begins at a multiple of 2^n, is split in halves until it
 * has the size that is asked for, and becomes whole again when both halves are free. So memory of small rings serves
 * large ones later, and the other way round. The lowest free block is taken first, as it is most likely resident.
 */
import { UNITS_PER_SLAB } from '../protocol/ring-layout.js'

const WHOLE = Math.log2(UNITS_PER_SLAB)
const NOT_TAKEN = 255

export class BuddyAllocator {
  /** For each order a bit a block: whether it is free. */
  readonly #free: readonly Uint32Array[]
  /** How many free blocks each order has. */
  readonly #count = new Uint16Array(WHOLE + 1)
  /** The order of the block that begins at a unit and is taken. */
  readonly #taken = new Uint8Array(UNITS_PER_SLAB).fill(NOT_TAKEN)

  constructor() {
    this.#free = Array.from(
      { length: WHOLE + 1 },
      (_, order) => new Uint32Array(Math.ceil((UNITS_PER_SLAB >> order) / 32)),
    )
    this.#toggle(WHOLE, 0, 1)
  }

  get isEmpty(): boolean {
    return this.#count[WHOLE] === 1
  }

  hasRoom(order: number): boolean {
    return this.#roomFor(order) !== undefined
  }

  /** The first unit of a block of 2^order; undefined: there is no room for it. */
  take(order: number): number | undefined {
    let from = this.#roomFor(order)
    if (from === undefined) return undefined
    const unit = this.#lowest(from)
    this.#toggle(from, unit, -1)
    while (from > order) {
      from--
      this.#toggle(from, unit + 2 ** from, 1)
    }
    this.#taken[unit] = order
    return unit
  }

  /** False: no such block was taken. */
  give(unit: number, order: number): boolean {
    if (this.#taken[unit] !== order) return false
    this.#taken[unit] = NOT_TAKEN
    let block = unit
    let size = order
    while (size < WHOLE && this.#isFree(size, block ^ (2 ** size))) {
      this.#toggle(size, block ^ (2 ** size), -1)
      block &= ~(2 ** size)
      size++
    }
    this.#toggle(size, block, 1)
    return true
  }

  /** The smallest order that has a free block and is not less. */
  #roomFor(order: number): number | undefined {
    for (let from = order; from <= WHOLE; from++) if (this.#count[from] !== 0) return from
    return undefined
  }

  #lowest(order: number): number {
    const words = this.#bitsOf(order)
    const index = words.findIndex((word) => word !== 0)
    const word = words[index] ?? 0
    return ((index << 5) | (31 - Math.clz32(word & -word))) << order
  }

  #isFree(order: number, unit: number): boolean {
    const bit = unit >>> order
    return (((this.#bitsOf(order)[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1
  }

  /** `change` of the free blocks: 1 or -1. */
  #toggle(order: number, unit: number, change: number): void {
    const bit = unit >>> order
    const words = this.#bitsOf(order)
    words[bit >>> 5] = (words[bit >>> 5] ?? 0) ^ (1 << (bit & 31))
    this.#count[order] = (this.#count[order] ?? 0) + change
  }

  #bitsOf(order: number): Uint32Array {
    const bits = this.#free[order]
    if (bits === undefined) throw new Error(`there are no blocks of order ${String(order)}`)
    return bits
  }
}
