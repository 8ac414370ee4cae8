/**
 * Decoded frames in the format of the rings, on their way into one. Small pieces are put together, so that a read of
 * many frames is one copy into the ring; a large piece that may be kept is not copied on its way there.
 *
 * The kernel's reads and what is decoded of them lie in one piece of memory: `copyWithin` is a memmove behind 25 ns of
 * call, where every copy between two Buffers costs 60 to 120 ns (256 bytes, Node 20).
 */
import { copyIn } from '../../engine/protocol/copy.js'
import { takeMemory } from '../../engine/protocol/allocation.js'
import { BufferView } from '../../engine/internals/buffer-view.js'
import { FRAME_HEADER_BYTES } from '../../engine/protocol/ring-layout.js'
import type { FrameSink } from './codec.js'

const READ_BYTES = 65_536
/** A frame on the wire is at least one byte, and four in the ring; some more for what was gathered before. */
const PACK_BYTES = FRAME_HEADER_BYTES * READ_BYTES + READ_BYTES
/** A piece of this size is worth a segment of its own. */
const LARGE_BYTES = 16_384

interface Segment {
  bytes: Buffer
  start: number
  end: number
}

/** Of all connections of the thread: a read is decoded, and moved on or copied away, before the next one begins. */
const memory = Buffer.allocUnsafeSlow(READ_BYTES + PACK_BYTES)

/** Where the kernel reads to. */
export const readMemory = memory.subarray(0, READ_BYTES)

let lastRead = readMemory

/** What was read into it. */
export function readBytes(length: number): Buffer {
  lastRead = memory.subarray(0, length)
  return lastRead
}

export class Decoded implements FrameSink {
  #segments: Segment[] = []
  /** The last segment, if it has room for more. */
  #pack: Segment | undefined

  isEmpty(): boolean {
    return this.#segments.length === 0
  }

  frame(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    const pack = this.#packFor(FRAME_HEADER_BYTES + length)
    writeLength(pack, length)
    copyToPack(bytes, start, end, pack)
  }

  keep(bytes: Buffer, start: number, end: number): void {
    if (end - start < LARGE_BYTES) {
      this.frame(bytes, start, end)
      return
    }
    this.begin(end - start)
    this.#segments.push({ bytes, start, end })
    this.#pack = undefined
  }

  begin(length: number): void {
    writeLength(this.#packFor(FRAME_HEADER_BYTES), length)
  }

  payload(bytes: Buffer, start: number, end: number): void {
    if (start !== end) copyToPack(bytes, start, end, this.#packFor(end - start))
  }

  /** Moves what fits into `target`; returns how much that was. */
  moveTo(target: Buffer): number {
    let done = 0
    let behind = 0
    for (const segment of this.#segments) {
      const length = Math.min(segment.end - segment.start, target.length - done)
      const { bytes, start } = segment
      copyIn(target, done, new BufferView(bytes.buffer, bytes.byteOffset + start, length))
      segment.start += length
      done += length
      if (segment.start < segment.end) break
      behind++
    }
    if (behind > 0) this.#segments.splice(0, behind)
    if (this.isEmpty()) this.#pack = undefined
    return done
  }

  /** What is left has to wait: it leaves the memory that others use too. @throws {TransportError} ERR_OUT_OF_MEMORY */
  settle(): void {
    for (const segment of this.#segments) {
      if (segment.bytes !== memory) continue
      const { start, end } = segment
      const bytes = takeMemory(end - start)
      memory.copy(bytes, 0, start, end)
      segment.bytes = bytes
      segment.start = 0
      segment.end = end - start
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
    const fresh =
      this.isEmpty() && bytes <= PACK_BYTES
        ? { bytes: memory, start: READ_BYTES, end: READ_BYTES }
        : { bytes: takeMemory(Math.max(READ_BYTES, bytes)), start: 0, end: 0 }
    this.#segments.push(fresh)
    this.#pack = fresh
    return fresh
  }
}

/** By hand: a third of what `writeUInt32LE` takes, with its checks. */
function writeLength(pack: Segment, length: number): void {
  const { bytes, end } = pack
  bytes[end] = length
  bytes[end + 1] = length >>> 8
  bytes[end + 2] = length >>> 16
  bytes[end + 3] = length >>> 24
  pack.end = end + FRAME_HEADER_BYTES
}

function copyToPack(bytes: Buffer, start: number, end: number, pack: Segment): void {
  const target = pack.bytes
  // It begins where `memory` does. Asking it for its `buffer` would take longer than the copy.
  if (target === memory && bytes === lastRead) {
    target.copyWithin(pack.end, start, end)
  } else {
    bytes.copy(target, pack.end, start, end)
  }
  pack.end += end - start
}
