/**
 * Translates the bytes of an out ring, cut anywhere, into those of the wire.
 *
 * The ring's bytes are copied in one piece to the end of a buffer, and from there frame by frame to its beginning:
 * within one piece of ordinary memory the small copies are cheap, out of shared memory they are not
 * (docs/decisions/copying.md). What is written never overtakes what is yet to be read; where frames grow, the gap
 * between the two is widened in time.
 */
import { copyOut } from '../../engine/protocol/copy.js'
import { takeMemory } from '../../engine/protocol/allocation.js'
import { FRAME_HEADER_BYTES } from '../../engine/protocol/ring-layout.js'
import type { Encoder } from './codec.js'

const BUFFER_BYTES = 65_536
/** Buffers up to this size are used again, by any connection of the thread. */
const REUSED_BYTES = 1_048_576
const REUSED_BUFFERS = 4

/** What each byte of a header counts. */
const SCALES = [1, 256, 65_536, 16_777_216] as const

const NOTHING: Buffer = Buffer.alloc(0)
const spares: Buffer[] = []

export class Translation {
  readonly #encoder: Encoder
  /** Bytes of the current payload that have not come. 0: a header comes, or the rest of one. */
  #missing = 0
  /** Bytes of a header that came in pieces, and their value. */
  #have = 0
  #value = 0
  #buffer = NOTHING

  constructor(encoder: Encoder) {
    this.#encoder = encoder
  }

  /** Whether the next `length` bytes lie inside one payload, which is the same on the wire. Then they are passed. */
  passes(length: number): boolean {
    if (this.#missing <= length) return false
    this.#missing -= length
    return true
  }

  /** The bytes of the wire for these of the ring, valid until `done()`. After ERR_OUT_OF_MEMORY it is unusable. */
  translate(first: Uint8Array, second: Uint8Array | undefined): Buffer {
    const { overhead } = this.#encoder
    const total = first.length + (second?.length ?? 0)
    // Before the first header: the end of a frame, and the beginning of one whose header had almost come.
    const slack = 2 * overhead + (overhead > FRAME_HEADER_BYTES ? total : 0)
    const buffer = bufferOf(slack + total)
    const from = buffer.length - total
    copyOut(first as Buffer, 0, first.length, buffer, from)
    if (second !== undefined) copyOut(second as Buffer, 0, second.length, buffer, from + first.length)
    this.#buffer = buffer
    const end = this.#run(from)
    return this.#buffer.subarray(0, end)
  }

  /** What `translate()` returned is not read any more. */
  done(): void {
    const buffer = this.#buffer
    this.#buffer = NOTHING
    if (buffer.length > 0 && buffer.length <= REUSED_BYTES && spares.length < REUSED_BUFFERS) spares.push(buffer)
  }

  /** From `at` to the end of the buffer lies what came out of the ring; returns where the wire's bytes end. */
  #run(from: number): number {
    const encoder = this.#encoder
    const room = 2 * encoder.overhead
    let buffer = this.#buffer
    let at = from
    let end = 0
    while (at < buffer.length) {
      if (this.#missing === 0 && this.#have === 0) {
        // Whole frames, as most are; what is left begins in the middle of one.
        const limit = buffer.length - FRAME_HEADER_BYTES
        while (at <= limit && at - end >= room) {
          const length = lengthAt(buffer, at)
          const start = at + FRAME_HEADER_BYTES
          if (start + length > buffer.length) break
          end = encoder.prefix(length, buffer, end)
          buffer.copyWithin(end, start, start + length)
          end = encoder.suffix(buffer, end + length)
          at = start + length
        }
        if (at === buffer.length) break
      }
      if (this.#missing > 0) {
        const length = Math.min(this.#missing, buffer.length - at)
        buffer.copyWithin(end, at, at + length)
        end += length
        at += length
        this.#missing -= length
        if (this.#missing === 0) end = encoder.suffix(buffer, end)
        continue
      }
      this.#value += (buffer[at] ?? 0) * (SCALES[this.#have] ?? 0)
      at++
      if (++this.#have < FRAME_HEADER_BYTES) continue
      if (at - end < room) {
        buffer = this.#widen(at, end)
        at = buffer.length - (this.#buffer.length - at)
        this.#buffer = buffer
      }
      const length = this.#value
      this.#have = 0
      this.#value = 0
      end = encoder.prefix(length, buffer, end)
      if (length === 0) end = encoder.suffix(buffer, end)
      else this.#missing = length
    }
    return end
  }

  /** A buffer of twice the size with what was written at its beginning and what is unread at its end. */
  #widen(at: number, end: number): Buffer {
    const buffer = this.#buffer
    const wider = takeMemory(2 * buffer.length)
    buffer.copy(wider, 0, 0, end)
    buffer.copy(wider, wider.length - (buffer.length - at), at)
    return wider
  }
}

/** By hand: a third of what `readUInt32LE` takes, with its checks. */
function lengthAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0) * 65_536 + (bytes[at + 3] ?? 0) * 16_777_216
  )
}

function bufferOf(bytes: number): Buffer {
  const spare = spares.pop()
  return spare !== undefined && spare.length >= bytes ? spare : takeMemory(Math.max(bytes, BUFFER_BYTES))
}
