/** The sizes of frames in flight, oldest first: four bytes for each frame. */
import { takeMemory } from '../protocol/allocation.js'

export class SizeQueue {
  #sizes = new Uint32Array(64)
  #head = 0
  #length = 0

  get isFull(): boolean {
    return this.#length === this.#sizes.length
  }

  get length(): number {
    return this.#length
  }

  get first(): number | undefined {
    return this.#length === 0 ? undefined : this.#sizes[this.#head]
  }

  /** How many of the first `bytes` belong to frames that end within them. */
  wholeWithin(bytes: number): number {
    let whole = 0
    for (let i = 0; i < this.#length; i++) {
      const size = this.#sizes[(this.#head + i) % this.#sizes.length] ?? 0
      if (whole + size > bytes) break
      whole += size
    }
    return whole
  }

  push(size: number): void {
    this.#sizes[(this.#head + this.#length) % this.#sizes.length] = size
    this.#length++
  }

  shift(): number | undefined {
    const size = this.first
    if (size === undefined) return undefined
    this.#head = (this.#head + 1) % this.#sizes.length
    this.#length--
    return size
  }

  hasRoomFor(count: number): boolean {
    return this.#length + count <= this.#sizes.length
  }

  /** So many can be pushed. @throws {TransportError} ERR_OUT_OF_MEMORY */
  makeRoom(count = 1): void {
    if (this.hasRoomFor(count)) return
    let capacity = this.#sizes.length
    while (capacity < this.#length + count) capacity *= 2
    const { buffer, byteOffset } = takeMemory(capacity * this.#sizes.BYTES_PER_ELEMENT)
    const larger = new Uint32Array(buffer, byteOffset, capacity)
    const first = this.#sizes.subarray(this.#head, this.#head + this.#length)
    larger.set(first)
    larger.set(this.#sizes.subarray(0, this.#length - first.length), first.length)
    this.#sizes = larger
    this.#head = 0
  }
}
