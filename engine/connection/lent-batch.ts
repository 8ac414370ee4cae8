/** Frames as a handler of `subscribeBatch()` sees them, until it returns. */
import type { FrameBatch } from '../common/connection.js'
import { noFrame } from '../common/call-options.js'
import { BufferView } from '../internals/buffer-view.js'
import { takePooledMemory } from '../protocol/allocation.js'
import { copyOut } from '../protocol/copy.js'
import type { FrameRun } from './frame-run.js'

export class LentBatch implements FrameBatch {
  readonly length: number
  readonly bytes: Buffer
  /** How many are lent. It does not show in `length`: a loop that goes on too late is to fail, and not to end. */
  #lent: number
  /** `bytes.buffer` and `bytes.byteOffset`, which are slow to ask for. */
  readonly #memory: ArrayBufferLike
  readonly #start: number
  readonly #run: FrameRun

  /** The first `count` frames of a run in this memory. */
  constructor(memory: ArrayBufferLike, run: FrameRun, count: number) {
    const start = run.offsets[0] ?? 0
    const end = (run.offsets[count - 1] ?? 0) + (run.sizes[count - 1] ?? 0)
    this.length = count
    this.#lent = count
    this.bytes = new BufferView(memory, start, end - start)
    this.#memory = memory
    this.#start = start
    this.#run = run
  }

  offset(index: number): number {
    return this.#offset(index) - this.#start
  }

  size(index: number): number {
    const size = this.#run.sizes[index]
    // Not `>=`: the name of one of the array's properties is no index either.
    if (size === undefined || !(index < this.#lent)) throw noFrame(index, this.#lent)
    return size
  }

  frame(index: number): Buffer {
    return new BufferView(this.#memory, this.#offset(index), this.size(index))
  }

  copy(index: number): Buffer {
    const size = this.size(index)
    const kept = takePooledMemory(size)
    copyOut(this.bytes, this.offset(index), size, kept, 0)
    return kept
  }

  *[Symbol.iterator](): Generator<Buffer, void, undefined> {
    for (let i = 0; i < this.length; i++) yield this.frame(i)
  }

  /** The handler has returned. */
  end(): void {
    this.#lent = 0
  }

  /** In the memory. */
  #offset(index: number): number {
    const offset = this.#run.offsets[index]
    if (offset === undefined || !(index < this.#lent)) throw noFrame(index, this.#lent)
    return offset
  }
}
