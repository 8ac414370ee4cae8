/** Writes ring frames (u32 LE length, payload) and queues what does not fit: nothing taken is ever lost. */
import type { Batch } from '../common/batch.js'
import { isBytes } from '../common/frame.js'
import { copyIn, isDearToCopy } from '../protocol/copy.js'
import { takeMemory } from '../protocol/allocation.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import type { RingProducer } from '../protocol/ring.js'
import { FrameMemory } from './frame-memory.js'
import { frameStage } from './frame-stage.js'
import { lending } from './lending.js'

/** Small frames that overflow share chunks of this size: a queue of a million frames is not a million buffers. */
const CHUNK_BYTES = 65_536

/**
 * What one connection of the thread has sent in this turn behind its first frame, unless it is large. It is the ring's
 * that has room for it, until it is there.
 */
const tray = new FrameMemory(16_384)
let trayRing: RingProducer | undefined
/** How many writers there have been, and which of them wrote last: a number, which keeps no ring. */
let writers = 0
let lastWriter = 0
/** Larger frames are not worth a second copy. */
const MOST_TRAY_FRAME_BYTES = 2048

/** Shared by all writers, which use it within one call. */
const header = Buffer.alloc(FRAME_HEADER_BYTES)

interface Chunk {
  readonly bytes: Buffer
  start: number
  end: number
}

export class FrameWriter {
  readonly ring: RingProducer
  #overflow: Chunk[] = []
  #overflowBytes = 0
  /** An empty chunk for the next overflow: fresh memory costs more than what is copied into it. */
  #spare: Buffer | undefined
  readonly #number = ++writers

  constructor(ring: RingProducer) {
    this.ring = ring
  }

  /** Bytes that wait for room in the ring. */
  get overflowBytes(): number {
    return this.#overflowBytes
  }

  /**
   * Writes a whole frame if the ring has room for it and nothing waits before it. The hot path of `send()`. `follows`:
   * there was another one in this turn, at whose end `settle()` is called.
   */
  tryWrite(frame: Uint8Array, follows = false): boolean {
    const ring = this.ring
    const length = frame.length
    const size = length + FRAME_HEADER_BYTES
    if (this.#overflowBytes !== 0) return false
    const before = trayRing === ring ? tray.bytes : 0
    if (!ring.hasRoom(before + size)) return false
    // Where connections take turns, each frame would have the tray moved.
    const isInRow = lastWriter === this.#number
    lastWriter = this.#number
    const isForTray = follows && isInRow && size <= MOST_TRAY_FRAME_BYTES && ring.slab.isShared
    if (isForTray && !(lending.isOn && isDearToCopy(frame, length))) {
      if (trayRing !== ring || before + size > tray.capacity) {
        clearTray()
        trayRing = ring
      }
      tray.add(frame, length)
      return true
    }
    if (before > 0) this.settle()
    if (size <= ring.contiguous) {
      const { offset } = ring
      ring.slab.view.setUint32(offset, length, true)
      copyIn(ring.slab.bytes, offset + FRAME_HEADER_BYTES, frame)
      ring.commit(size)
    } else {
      header.writeUInt32LE(length)
      ring.write(header, 0, FRAME_HEADER_BYTES)
      ring.write(frame, 0, length)
    }
    return true
  }

  /** All that was written is in the ring from here on, or in the queue. */
  settle(): void {
    if (trayRing === this.ring) clearTray()
  }

  /** Writes what fits, queues a copy of the rest. @throws {TransportError} ERR_OUT_OF_MEMORY; nothing is taken then. */
  writeOrQueue(parts: readonly Uint8Array[], length: number): void {
    this.settle()
    const size = length + FRAME_HEADER_BYTES
    const room = this.#overflowBytes === 0 ? Math.min(size, this.ring.refreshFree()) : 0
    this.#reserve(size - room)
    this.#putFrame(parts, length, room)
  }

  /** As `tryWrite()`, with all frames of the stage. */
  tryWriteStaged(): boolean {
    this.settle()
    if (this.#overflowBytes !== 0 || !this.ring.hasRoom(frameStage.bytes)) return false
    frameStage.moveTo(this.ring)
    return true
  }

  /** As `tryWrite()`, with all frames of a batch. */
  tryWriteBatch({ frames, lengths, ringBytes }: Batch): boolean {
    this.settle()
    if (this.#overflowBytes !== 0 || !this.ring.hasRoom(ringBytes)) return false
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i]
      if (frame === undefined) continue
      if (isBytes(frame)) this.tryWrite(frame)
      else this.#putFrame(frame, lengths[i] ?? 0, ringBytes)
    }
    return true
  }

  /** As `writeOrQueue()`, with all frames of a batch: all are taken, or none. */
  writeOrQueueBatch({ frames, lengths, ringBytes }: Batch): void {
    this.settle()
    let left = this.#overflowBytes === 0 ? Math.min(ringBytes, this.ring.refreshFree()) : 0
    this.#reserve(ringBytes - left)
    for (const [i, frame] of frames.entries())
      left = this.#putFrame(isBytes(frame) ? [frame] : frame, lengths[i] ?? 0, left)
  }

  /** Moves queued bytes into the ring; true when none is left. */
  refill(): boolean {
    let done = 0
    for (const chunk of this.#overflow) {
      const room = Math.min(this.ring.refreshFree(), chunk.end - chunk.start)
      this.ring.write(chunk.bytes, chunk.start, chunk.start + room)
      chunk.start += room
      this.#overflowBytes -= room
      if (chunk.start < chunk.end) break
      done++
      if (chunk.bytes.length === CHUNK_BYTES) this.#spare = chunk.bytes
    }
    if (done > 0) this.#overflow.splice(0, done)
    return this.#overflowBytes === 0
  }

  /** What waits for room, in order, where it lies. */
  get queued(): readonly Uint8Array[] {
    return this.#overflow.map(({ bytes, start, end }) => bytes.subarray(start, end))
  }

  /** Forgets what is not in the ring: the connection is gone. */
  discard(): void {
    if (trayRing === this.ring) {
      trayRing = undefined
      tray.bytes = 0
    }
    this.#overflow = []
    this.#overflowBytes = 0
  }

  #putFrame(parts: readonly Uint8Array[], length: number, room: number): number {
    header.writeUInt32LE(length)
    let left = this.#put(header, room)
    for (const part of parts) left = this.#put(part, left)
    return left
  }

  /** Writes as much as there is `room` for into the ring and queues the rest; returns what room is left. */
  #put(bytes: Uint8Array, room: number): number {
    const written = Math.min(bytes.length, room)
    if (written > 0) this.ring.write(bytes, 0, written)
    if (written < bytes.length) this.#queue(bytes, written)
    return room - written
  }

  /** Makes sure that so many bytes can be queued: the last chunk has room for them, or an empty one follows it. */
  #reserve(bytes: number): void {
    const last = this.#overflow.at(-1)
    const missing = bytes - (last === undefined ? 0 : last.bytes.length - last.end)
    if (missing > 0) this.#overflow.push({ bytes: this.#chunkFor(missing), start: 0, end: 0 })
  }

  #queue(bytes: Uint8Array, from: number): void {
    let start = from
    const chunks = this.#overflow
    // The last two: what was reserved lies behind what is begun.
    for (let i = Math.max(0, chunks.length - 2); start < bytes.length; i++) {
      const chunk = chunks[i]
      if (chunk === undefined) throw new Error('no room was reserved for what is queued')
      const fits = Math.min(bytes.length - start, chunk.bytes.length - chunk.end)
      chunk.bytes.set(bytes.subarray(start, start + fits), chunk.end)
      chunk.end += fits
      start += fits
      this.#overflowBytes += fits
    }
  }

  #chunkFor(bytes: number): Buffer {
    const spare = this.#spare
    if (bytes > CHUNK_BYTES || spare === undefined) return takeMemory(Math.max(bytes, CHUNK_BYTES))
    this.#spare = undefined
    return spare
  }
}

function clearTray(): void {
  if (trayRing !== undefined) tray.moveTo(trayRing)
  trayRing = undefined
}
