/**
 * Decoded frames in the format of the rings, on their way into one. Small pieces are put together, so that a read of many
 * frames is a few copies; a large piece that may be kept is not copied at all.
 */
import { FRAME_HEADER_BYTES } from '../../engine/shared/ring-layout.js'
import type { FrameSink } from './codec.js'

const PACK_BYTES = 131_072
/** A piece of this size is worth a segment of its own. */
const LARGE_BYTES = 16_384

interface Segment {
  bytes: Buffer
  start: number
  end: number
}

/**
 * Where the first small pieces of a read go, in every connection of the thread: they are moved on, or copied away, before
 * the next read is decoded.
 */
const sharedPack = Buffer.allocUnsafeSlow(PACK_BYTES)

export class Decoded implements FrameSink {
  #segments: Segment[] = []
  /** The last segment, if it has room for more. */
  #pack: Segment | undefined

  isEmpty(): boolean {
    return this.#segments.length === 0
  }

  begin(length: number): void {
    const pack = this.#packFor(FRAME_HEADER_BYTES)
    pack.bytes.writeUInt32LE(length, pack.end)
    pack.end += FRAME_HEADER_BYTES
  }

  payload(bytes: Buffer, start: number, end: number): void {
    if (start === end) return
    const pack = this.#packFor(end - start)
    bytes.copy(pack.bytes, pack.end, start, end)
    pack.end += end - start
  }

  keep(bytes: Buffer, start: number, end: number): void {
    if (end - start < LARGE_BYTES) {
      this.payload(bytes, start, end)
      return
    }
    this.#segments.push({ bytes, start, end })
    this.#pack = undefined
  }

  /** Moves what fits into `target`; returns how much that was. */
  moveTo(target: Buffer): number {
    let done = 0
    let behind = 0
    for (const segment of this.#segments) {
      const length = Math.min(segment.end - segment.start, target.length - done)
      segment.bytes.copy(target, done, segment.start, segment.start + length)
      segment.start += length
      done += length
      if (segment.start < segment.end) break
      behind++
    }
    if (behind > 0) this.#segments.splice(0, behind)
    if (this.isEmpty()) this.#pack = undefined
    return done
  }

  /** What is left has to wait: it moves out of the memory that others use too. */
  settle(): void {
    for (const segment of this.#segments) {
      if (segment.bytes !== sharedPack) continue
      segment.bytes = Buffer.from(sharedPack.subarray(segment.start, segment.end))
      segment.end -= segment.start
      segment.start = 0
    }
    this.#pack = undefined
  }

  clear(): void {
    this.#segments = []
    this.#pack = undefined
  }

  #packFor(bytes: number): Segment {
    const pack = this.#pack
    if (pack !== undefined && pack.end + bytes <= pack.bytes.length) return pack
    const memory =
      this.isEmpty() && bytes <= PACK_BYTES ? sharedPack : Buffer.allocUnsafeSlow(Math.max(PACK_BYTES, bytes))
    const fresh = { bytes: memory, start: 0, end: 0 }
    this.#segments.push(fresh)
    this.#pack = fresh
    return fresh
  }
}
