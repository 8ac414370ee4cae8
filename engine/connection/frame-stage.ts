/**
 * Where the small frames of a batch are put together in ordinary memory, as they will lie in the ring: one copy into
 * shared memory for all of them costs much less than one for each (docs/decisions/small-frames.md).
 */
import { BufferView } from '../internals/buffer-view.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'

const STAGE_BYTES = 262_144
/** Larger ones are not worth a second copy. */
const MOST_FRAME_BYTES = 4096

class FrameStage {
  /** What was put in last: how many frames, and how many bytes with their headers. */
  frames = 0
  bytes = 0
  readonly #memory = Buffer.allocUnsafeSlow(STAGE_BYTES)
  readonly #view = new DataView(this.#memory.buffer)
  #uses = 0

  /** False: not all of them are views of bytes, with bytes in them, that are small enough; or there is no room. */
  fill(frames: readonly unknown[], maxFrameBytes: number): boolean {
    try {
      return this.#fill(frames, maxFrameBytes)
    } catch {
      // Whoever looks at them again meets the same error, and says which of them it is.
      return false
    }
  }

  get content(): Buffer {
    return new BufferView(this.#memory.buffer, 0, this.bytes)
  }

  /** Copies all of it into shared memory, without a call of the system's copy: cheaper where it is little. */
  copyTo(target: DataView, at: number): void {
    const view = this.#view
    const end = this.bytes
    let i = 0
    for (; i + 4 <= end; i += 4) target.setUint32(at + i, view.getUint32(i, true), true)
    for (; i < end; i++) target.setUint8(at + i, view.getUint8(i))
  }

  /** How long the frame is that begins there. */
  lengthAt(offset: number): number {
    return this.#view.getUint32(offset, true)
  }

  #fill(frames: readonly unknown[], maxFrameBytes: number): boolean {
    const use = ++this.#uses
    const most = Math.min(maxFrameBytes, MOST_FRAME_BYTES)
    const memory = this.#memory
    let at = 0
    let i = 0
    // Most batches have frames of about one length: what will not fit is not begun.
    const first = frames[0]
    if (first instanceof Uint8Array && first.length * frames.length > STAGE_BYTES) return false
    for (; i < frames.length; i++) {
      const frame = frames[i]
      // Not by `instanceof` alone, which proxies pass too.
      if (!(frame instanceof Uint8Array && ArrayBuffer.isView(frame))) return false
      const { length } = frame
      // An empty view may have lost its memory, which others look at.
      if (length === 0 || length > most || at + FRAME_HEADER_BYTES + length > STAGE_BYTES) return false
      this.#view.setUint32(at, length, true)
      at += FRAME_HEADER_BYTES
      memory.set(frame, at)
      at += length
    }
    this.frames = i
    this.bytes = at
    // An element that is computed may have sent something itself, by this stage.
    return use === this.#uses && i > 0
  }
}

/** Used by all connections of a thread, within one call of each. */
export const frameStage = new FrameStage()
