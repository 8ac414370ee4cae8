/** Bytes that have come and cannot be handed on yet. It grows by doubling, so that gathering takes linear time. */
import { takeMemory } from '../../engine/protocol/allocation.js'

const REUSED_BYTES = 16_384
const NOTHING = Buffer.alloc(0)

export class Accumulator {
  #bytes = NOTHING
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The memory; what lies in it goes up to `length`. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Whether `clear()` gives the memory up, so that others may keep it. */
  get isLarge(): boolean {
    return this.#bytes.length > REUSED_BYTES
  }

  append(chunk: Buffer, start: number, end: number): void {
    const wanted = this.#length + end - start
    if (wanted > this.#bytes.length) {
      const grown = takeMemory(Math.max(wanted, this.#bytes.length * 2, 256))
      this.#bytes.copy(grown, 0, 0, this.#length)
      this.#bytes = grown
    }
    chunk.copy(this.#bytes, this.#length, start, end)
    this.#length = wanted
  }

  clear(): void {
    if (this.isLarge) this.#bytes = NOTHING
    this.#length = 0
  }
}
