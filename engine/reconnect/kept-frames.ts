/** A batch without the frames that are not the user's. It is lent as the batch itself is. */
import { noFrame } from '../common/call-options.js'
import type { FrameBatch } from '../common/connection.js'

export class KeptFrames implements FrameBatch {
  readonly #batch: FrameBatch
  readonly #indices: readonly number[]

  constructor(batch: FrameBatch, indices: readonly number[]) {
    this.#batch = batch
    this.#indices = indices
  }

  get length(): number {
    return this.#indices.length
  }

  get bytes(): Buffer {
    return this.#batch.bytes
  }

  offset(index: number): number {
    return this.#batch.offset(this.#indexOf(index))
  }

  size(index: number): number {
    return this.#batch.size(this.#indexOf(index))
  }

  frame(index: number): Buffer {
    return this.#batch.frame(this.#indexOf(index))
  }

  copy(index: number): Buffer {
    return this.#batch.copy(this.#indexOf(index))
  }

  *[Symbol.iterator](): Generator<Buffer, void, undefined> {
    for (let i = 0; i < this.length; i++) yield this.frame(i)
  }

  #indexOf(index: number): number {
    const own = this.#indices[index]
    if (own === undefined || !(index < this.length)) throw noFrame(index, this.length)
    return own
  }
}
