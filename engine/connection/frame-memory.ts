/**
 * Small frames that lie together in ordinary memory, as they will lie in the ring: one copy into shared memory for all
 * of them costs much less than one for each (docs/decisions/small-frames.md).
 */
import { BufferView } from '../internals/buffer-view.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import type { RingProducer } from '../protocol/ring.js'

/** So little is copied word by word: a call of the system's copy costs more. */
const FEW_BYTES = 320

export class FrameMemory {
  bytes = 0
  readonly capacity: number
  readonly #memory: Buffer
  readonly #view: DataView

  constructor(capacity: number) {
    this.capacity = capacity
    this.#memory = Buffer.allocUnsafeSlow(capacity)
    this.#view = new DataView(this.#memory.buffer)
  }

  /** There must be room for it. */
  add(frame: Uint8Array, length: number): void {
    const at = this.bytes
    this.#view.setUint32(at, length, true)
    this.#memory.set(frame, at + FRAME_HEADER_BYTES)
    this.bytes = at + FRAME_HEADER_BYTES + length
  }

  /** How long the frame is that begins there. */
  lengthAt(offset: number): number {
    return this.#view.getUint32(offset, true)
  }

  /** Moves all of it to a ring that has room for it. */
  moveTo(ring: RingProducer): void {
    const { bytes } = this
    this.bytes = 0
    if (bytes > FEW_BYTES || bytes > ring.contiguous) {
      ring.write(new BufferView(this.#memory.buffer, 0, bytes), 0, bytes)
      return
    }
    const from = this.#view
    const to = ring.slab.view
    const at = ring.offset
    let i = 0
    for (; i + 4 <= bytes; i += 4) to.setUint32(at + i, from.getUint32(i, true), true)
    for (; i < bytes; i++) to.setUint8(at + i, from.getUint8(i))
    ring.commit(bytes)
  }
}
