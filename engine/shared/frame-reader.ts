/**
 * Finds frames in a ring, incrementally. A frame that lies whole in the ring is read where it lies; one that is too
 * large to wait for, or that crosses into another region, is streamed into a buffer of its own.
 *
 * After `next()` has said 'frame', the frame is `borrow()`ed or `copy()`ed and then `done()` is called, once.
 * The length is checked against the limit before a byte of memory is taken for it.
 */
import { copyOut } from './copy.js'
import { FRAME_HEADER_BYTES } from './ring-layout.js'
import { BufferView } from './region.js'
import type { RingConsumer } from './ring.js'

type Stage =
  /** At a frame boundary. */
  | { readonly kind: 'boundary' }
  /** The length field is coming in pieces. */
  | { readonly kind: 'header'; readonly have: number; readonly bytes: number }
  /** The payload is coming in pieces. */
  | { readonly kind: 'payload'; readonly target: Buffer; readonly have: number }
  /** A streamed payload is complete and waits to be taken. */
  | { readonly kind: 'complete'; readonly target: Buffer }

/** Shared by all readers: ten thousand idle connections need no buffers of their own. */
const EMPTY = Buffer.alloc(0)
const header = Buffer.alloc(FRAME_HEADER_BYTES)

const BOUNDARY: Stage = { kind: 'boundary' }

export type FrameNews = 'frame' | 'incomplete' | 'too-large'

/** Behind the last whole frame: nothing, a part of one, or one that is not wanted. */
export type StreamEnd =
  { readonly kind: 'whole' | 'cut-off' } | { readonly kind: 'too-large'; readonly length: number }

export class FrameReader {
  ring: RingConsumer
  /** Payload length of the frame found; after 'too-large', the length that the peer announced. */
  length = 0
  readonly #limit: number
  #stage: Stage = BOUNDARY
  #scratch = EMPTY

  constructor(ring: RingConsumer, limit: number) {
    this.ring = ring
    this.#limit = limit
  }

  /** Whether bytes of a frame have come whose rest has not. */
  get midFrame(): boolean {
    return this.#stage.kind !== 'boundary' || this.ring.readable > 0
  }

  /**
   * After 'incomplete': how many bytes more make it worth looking again. A large frame that is being streamed is
   * worth a look each quarter of the ring: often enough that the shard never runs out of room.
   */
  get wants(): number {
    const stage = this.#stage
    let missing = 1
    if (stage.kind === 'payload') missing = this.length - stage.have
    else if (stage.kind === 'boundary' && this.ring.readable >= FRAME_HEADER_BYTES) {
      missing = this.length + FRAME_HEADER_BYTES - this.ring.readable
    }
    return Math.max(1, Math.min(missing, this.ring.capacity >> 2))
  }

  /** How the stream ends if `rest` is all that follows. Nothing of it is taken. */
  endOf(rest: Buffer): StreamEnd {
    const stage = this.#stage
    let bytes = rest
    let at = 0
    if (stage.kind === 'payload') at = this.length - stage.have
    if (stage.kind === 'header') {
      header.writeUInt32LE(stage.bytes)
      bytes = Buffer.concat([header.subarray(0, stage.have), rest])
    }
    while (at + FRAME_HEADER_BYTES <= bytes.length) {
      const length = bytes.readUInt32LE(at)
      if (length > this.#limit) return { kind: 'too-large', length }
      at += FRAME_HEADER_BYTES + length
    }
    return { kind: at === bytes.length ? 'whole' : 'cut-off' }
  }

  /** Goes on in another ring, which holds what was unread in this one. */
  moveTo(ring: RingConsumer): void {
    this.ring = ring
  }

  /** `borrowing`: a frame that has to be streamed may go into the scratch buffer, since only `borrow()` will be called. */
  next(borrowing = false): FrameNews {
    const ring = this.ring
    if (this.#stage === BOUNDARY) {
      let readable = ring.readable
      if (readable < FRAME_HEADER_BYTES) readable = ring.refresh()
      if (readable >= FRAME_HEADER_BYTES) {
        const at = ring.head & ring.mask
        const length =
          at + FRAME_HEADER_BYTES <= ring.capacity
            ? ring.slab.view.getUint32(ring.origin + at, true)
            : this.#wrappedLength()
        this.length = length
        if (length > this.#limit) return 'too-large'
        const size = length + FRAME_HEADER_BYTES
        if (readable >= size || ring.refresh() >= size) return 'frame'
      }
      if (!this.#mustStream()) return 'incomplete'
    }
    return this.#stream(borrowing)
  }

  /** A view that is valid until `done()`: of the ring itself, or of a scratch buffer that is used again. */
  borrow(): Buffer {
    const stage = this.#stage
    if (stage.kind === 'complete') return stage.target
    const ring = this.ring
    const at = (ring.head + FRAME_HEADER_BYTES) & ring.mask
    if (at + this.length <= ring.capacity)
      return new BufferView(ring.slab.memory, ring.origin + at, this.length)
    const target = this.#scratchOf(this.length)
    this.#copyInto(target)
    return target
  }

  /** The frame in memory of the caller's own. */
  copy(): Buffer {
    const stage = this.#stage
    if (stage.kind === 'complete') {
      // Streamed while someone borrowed, taken by someone who does not: the scratch buffer will be used again.
      return stage.target.buffer === this.#scratch.buffer ? Buffer.from(stage.target) : stage.target
    }
    const target = Buffer.allocUnsafe(this.length)
    this.#copyInto(target)
    return target
  }

  done(): void {
    if (this.#stage === BOUNDARY) this.ring.consume(FRAME_HEADER_BYTES + this.length)
    else this.#stage = BOUNDARY
  }

  /** Reused: fresh memory costs a page fault every 4 KiB, more than the copy itself. */
  #scratchOf(length: number): Buffer {
    if (this.#scratch.length < length) this.#scratch = Buffer.allocUnsafeSlow(length)
    return this.#scratch.length === length ? this.#scratch : this.#scratch.subarray(0, length)
  }

  #copyInto(target: Buffer): void {
    const ring = this.ring
    const from = (ring.head + FRAME_HEADER_BYTES) & ring.mask
    const first = Math.min(this.length, ring.capacity - from)
    copyOut(ring.slab.bytes, ring.origin + from, first, target, 0)
    if (first < this.length) copyOut(ring.slab.bytes, ring.origin, this.length - first, target, first)
  }

  #wrappedLength(): number {
    this.ring.read(header, 0, FRAME_HEADER_BYTES)
    return header.readUInt32LE()
  }

  /** Waiting is wrong when the rest cannot come into this region, or so late that the shard runs out of room. */
  #mustStream(): boolean {
    const ring = this.ring
    if (ring.regionEnds) return ring.refresh() > 0
    return ring.readable >= FRAME_HEADER_BYTES && this.length + FRAME_HEADER_BYTES > ring.capacity / 2
  }

  #stream(borrowing: boolean): FrameNews {
    for (;;) {
      const stage = this.#stage
      const ring = this.ring
      switch (stage.kind) {
        case 'boundary':
          this.#stage = { kind: 'header', have: 0, bytes: 0 }
          break
        case 'header': {
          const take = Math.min(FRAME_HEADER_BYTES - stage.have, ring.refresh())
          if (take === 0) return 'incomplete'
          header.writeUInt32LE(stage.bytes)
          ring.read(header, stage.have, take)
          ring.consume(take)
          const bytes = header.readUInt32LE()
          if (stage.have + take < FRAME_HEADER_BYTES) {
            this.#stage = { kind: 'header', have: stage.have + take, bytes }
            break
          }
          this.length = bytes
          if (this.length > this.#limit) return 'too-large'
          const target = borrowing ? this.#scratchOf(this.length) : Buffer.allocUnsafeSlow(this.length)
          this.#stage =
            this.length === 0 ? { kind: 'complete', target } : { kind: 'payload', target, have: 0 }
          break
        }
        case 'payload': {
          const take = Math.min(this.length - stage.have, ring.refresh())
          if (take === 0) return 'incomplete'
          ring.read(stage.target, stage.have, take)
          ring.consume(take)
          const have = stage.have + take
          this.#stage = have === this.length ? { kind: 'complete', target: stage.target } : { ...stage, have }
          break
        }
        case 'complete':
          return 'frame'
      }
    }
  }
}
