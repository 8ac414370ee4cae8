/** Where the frames of a batch lie while they are looked at: none is in the ring until all are good. */
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import { isDearToCopy } from '../protocol/copy.js'
import { FrameMemory } from './frame-memory.js'
import { lending } from './lending.js'

const STAGE_BYTES = 262_144
/** Larger ones are not worth a second copy. */
const MOST_FRAME_BYTES = 4096

class FrameStage extends FrameMemory {
  /** How many there are. */
  frames = 0
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

  #fill(frames: readonly unknown[], maxFrameBytes: number): boolean {
    // Most batches have frames of about one length: what will not fit is not begun.
    const first = frames[0]
    if (first instanceof Uint8Array) {
      if (first.length * frames.length > STAGE_BYTES) return false
      if (lending.isOn && isDearToCopy(first, first.length)) return false
    }
    const use = ++this.#uses
    const most = Math.min(maxFrameBytes, MOST_FRAME_BYTES)
    let i = 0
    this.bytes = 0
    for (; i < frames.length; i++) {
      const frame = frames[i]
      // Not by `instanceof` alone, which proxies pass too.
      if (!(frame instanceof Uint8Array && ArrayBuffer.isView(frame))) return false
      const { length } = frame
      // An empty view may have lost its memory, which others look at.
      if (length === 0 || length > most || this.bytes + FRAME_HEADER_BYTES + length > STAGE_BYTES) return false
      this.add(frame, length)
    }
    this.frames = i
    // An element that is computed may have sent a batch itself, by this stage.
    return use === this.#uses && i > 0
  }
}

/** Used by all connections of a thread, within one call of each. */
export const frameStage = new FrameStage(STAGE_BYTES)
