/**
 * Finds frames in a ring, incrementally. A frame that lies whole in the ring is read where it lies; one that is too
 * large to wait for, or that crosses into another region, is streamed into a buffer of its own.
 *
 * After `next()` has said 'frame', the frame is `borrow()`ed or `copy()`ed and then `done()` is called, once. The
 * length is checked against the limit first, and memory is taken only as bytes come. All three throw ERR_OUT_OF_MEMORY
 * when there is none; then nothing can be read on.
 */
import { PREVIEW_BYTES, type Excess } from '../protocol/framing.js'
import { takeMemory, takePooledMemory } from '../protocol/allocation.js'
import { copyOut } from '../protocol/copy.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import { BufferView } from '../internals/buffer-view.js'
import type { FrameRun } from './frame-run.js'
import { giveScratch, takeScratch } from './scratch.js'
import type { RingConsumer } from '../protocol/ring.js'

/** The payload is coming in pieces. */
interface Payload {
  readonly kind: 'payload'
  readonly target: Buffer
  readonly have: number
  readonly memory: Memory
}

type Stage =
  /** At a frame boundary. */
  | { readonly kind: 'boundary' }
  /** The length field is coming in pieces. */
  | { readonly kind: 'header'; readonly have: number; readonly bytes: number }
  | Payload
  /** A streamed payload is complete and waits to be taken. */
  | { readonly kind: 'complete'; readonly target: Buffer; readonly memory: Memory }

/** Where a streamed frame lies: in its own memory, in the scratch buffer, or in a small one on its way to either. */
type Memory = 'own' | 'scratch' | 'small for own' | 'small for scratch'

/** What a frame of which hardly anything has come gets; a scratch buffer of this size is not worth sharing. */
const SMALL_BYTES = 16_384
/**
 * For each byte that has come there is memory for so many. Bytes that are announced and never come cost nothing then,
 * and the part of a frame that has to be moved while it comes is as small.
 */
const BYTES_FOR_EACH = 32

/** Shared by all readers: ten thousand idle connections need no buffers of their own. */
const EMPTY: Buffer = Buffer.alloc(0)
const header = Buffer.alloc(FRAME_HEADER_BYTES)
const preview = Buffer.alloc(FRAME_HEADER_BYTES + PREVIEW_BYTES)

const BOUNDARY: Stage = { kind: 'boundary' }

export type FrameProgress = 'frame' | 'incomplete' | 'too-large'

/** Behind the last whole frame: nothing, a part of one, or one that is not wanted. */
export type StreamEnd = { readonly kind: 'whole' | 'cut-off' } | { readonly kind: 'too-large'; readonly excess: Excess }

export class FrameReader {
  /** May be replaced by one that holds what was unread in this one. */
  ring: RingConsumer
  /** Payload length of the frame found; after 'too-large', the length that the peer announced. */
  length = 0
  /** A handler looks at what `borrow()` gave, and may read on: until it returns no scratch buffer goes back. */
  isLent = false
  readonly #limit: number
  #stage: Stage = BOUNDARY
  #scratch: Buffer = EMPTY

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
    let at = 0
    if (stage.kind === 'payload') at = this.length - stage.have
    if (stage.kind === 'header') {
      // The frame whose length began before the rest did.
      const missing = FRAME_HEADER_BYTES - stage.have
      if (rest.length < missing) return { kind: 'cut-off' }
      header.writeUInt32LE(stage.bytes)
      rest.copy(header, stage.have, 0, missing)
      const length = header.readUInt32LE()
      if (length > this.#limit) return tooLarge(length, rest, missing)
      at = missing + length
    }
    while (at + FRAME_HEADER_BYTES <= rest.length) {
      const length = rest.readUInt32LE(at)
      at += FRAME_HEADER_BYTES
      if (length > this.#limit) return tooLarge(length, rest, at)
      at += length
    }
    return { kind: at === rest.length ? 'whole' : 'cut-off' }
  }

  /** After 'too-large': what was announced, and the first bytes behind it that are there. Valid until asked again. */
  get excess(): Excess {
    const ring = this.ring
    const before = this.#stage.kind === 'boundary' ? FRAME_HEADER_BYTES : 0
    const there = Math.min(before + PREVIEW_BYTES, ring.refresh())
    ring.read(preview, 0, there)
    return { length: this.length, behind: preview.subarray(before, there) }
  }

  /** Nothing more is read: the memory of a frame that was on its way is dropped. */
  abandon(): void {
    this.#stage = BOUNDARY
    // Not given back for other readers: a handler may be looking at it.
    this.#scratch = EMPTY
  }

  /** `borrowing`: only `borrow()` will be called, so a frame that has to be streamed may go into the scratch buffer. */
  next(borrowing = false): FrameProgress {
    const ring = this.ring
    if (this.#stage === BOUNDARY) {
      let readable = ring.readable
      if (readable < FRAME_HEADER_BYTES) readable = ring.refresh()
      if (readable >= FRAME_HEADER_BYTES) {
        const length =
          FRAME_HEADER_BYTES <= ring.contiguous ? ring.slab.view.getUint32(ring.offset, true) : this.#wrappedLength()
        this.length = length
        if (length > this.#limit) return 'too-large'
        const size = length + FRAME_HEADER_BYTES
        if (readable >= size || ring.refresh() >= size) return 'frame'
      }
      if (!this.#mustStream()) {
        if (this.#scratch.length > SMALL_BYTES) this.#giveScratch()
        return 'incomplete'
      }
    }
    return this.#stream(borrowing)
  }

  /**
   * After 'frame': the frames from this one on that lie whole and in one piece, as offsets into the slab. Returns how
   * many, at most `most` and, behind the first, of `bytes` in all. None of them is taken. 0: this one does not lie so.
   */
  gather(run: FrameRun, most: number, bytes: number): number {
    if (this.#stage !== BOUNDARY) return 0
    const { ring } = this
    const { view } = ring.slab
    const limit = this.#limit
    let at = ring.offset
    const end = at + Math.min(ring.readable, ring.contiguous)
    const enough = at + Math.min(bytes, ring.capacity >> 2)
    let count = 0
    while (count < most && at + FRAME_HEADER_BYTES <= end) {
      const length = view.getUint32(at, true)
      const next = at + FRAME_HEADER_BYTES + length
      if (length > limit || next > end || (count > 0 && next > enough)) break
      run.set(count++, at + FRAME_HEADER_BYTES, length)
      at = next
    }
    return count
  }

  /** A copy of one of them. */
  copyAt(offset: number, size: number): Buffer {
    const target = takePooledMemory(size)
    copyOut(this.ring.slab.bytes, offset, size, target, 0)
    return target
  }

  /** A view that is valid until `done()`: of the ring itself, or of a scratch buffer that is used again. */
  borrow(): Buffer {
    const stage = this.#stage
    if (stage.kind === 'complete') return stage.target
    const ring = this.ring
    const at = (ring.head + FRAME_HEADER_BYTES) & ring.mask
    if (at + this.length <= ring.capacity) return new BufferView(ring.slab.lendable, ring.origin + at, this.length)
    const target = wholeOf(this.#scratchOf(this.length), this.length)
    this.#copyInto(target)
    return target
  }

  /** The frame in memory that the caller may keep. */
  copy(): Buffer {
    const stage = this.#stage
    if (stage.kind === 'complete') {
      if (stage.memory === 'own') return stage.target
      // Streamed while someone borrowed, and taken by someone who does not: the scratch buffer will be used again.
      const kept = takeMemory(this.length)
      stage.target.copy(kept)
      return kept
    }
    const target = takePooledMemory(this.length)
    this.#copyInto(target)
    return target
  }

  done(): void {
    if (this.#stage === BOUNDARY) this.ring.consume(FRAME_HEADER_BYTES + this.length)
    else this.#stage = BOUNDARY
  }

  /** At least so many bytes. What was in the scratch buffer is of no use any more. */
  #scratchOf(bytes: number): Buffer {
    if (this.isLent || this.#scratch.length < bytes) {
      this.#giveScratch()
      this.#scratch = takeScratch(bytes)
    }
    return this.#scratch
  }

  #giveScratch(): void {
    const scratch = this.#scratch
    this.#scratch = EMPTY
    if (scratch.length > SMALL_BYTES && !this.isLent) giveScratch(scratch)
  }

  /** Where the frame goes on now that so many of its bytes have come. Those that came before are there. */
  #room(come: number, { target, have, memory }: Payload): Pick<Payload, 'target' | 'memory'> {
    const { length } = this
    const fair = Math.max(SMALL_BYTES, come * BYTES_FOR_EACH)
    let room: Pick<Payload, 'target' | 'memory'>
    if (fair < length) {
      if (come <= target.length) return { target, memory }
      // Half of that: what it is moved out of counts too.
      room = { target: takeMemory(fair / 2), memory }
    } else if (memory === 'small for own') {
      room = { target: takeMemory(length), memory: 'own' }
    } else {
      room = { target: this.#scratchOf(length), memory: 'scratch' }
    }
    target.copy(room.target, 0, 0, have)
    return room
  }

  #copyInto(target: Buffer): void {
    this.ring.read(target, 0, this.length, FRAME_HEADER_BYTES)
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

  #stream(borrowing: boolean): FrameProgress {
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
          const memory = borrowing ? 'small for scratch' : 'small for own'
          this.#stage =
            this.length === 0
              ? { kind: 'complete', target: EMPTY, memory: 'own' }
              : { kind: 'payload', target: EMPTY, have: 0, memory }
          break
        }
        case 'payload': {
          const take = Math.min(this.length - stage.have, ring.refresh())
          if (take === 0) return 'incomplete'
          const have = stage.have + take
          const isSmall = stage.memory !== 'own' && stage.memory !== 'scratch'
          const { target, memory } = isSmall ? this.#room(have, stage) : stage
          ring.read(target, stage.have, take)
          ring.consume(take)
          if (have < this.length) this.#stage = { kind: 'payload', target, have, memory }
          else this.#stage = { kind: 'complete', target: wholeOf(target, have), memory }
          break
        }
        case 'complete':
          return 'frame'
      }
    }
  }
}

function wholeOf(target: Buffer, length: number): Buffer {
  return target.length === length ? target : target.subarray(0, length)
}

function tooLarge(length: number, rest: Buffer, at: number): StreamEnd {
  return { kind: 'too-large', excess: { length, behind: rest.subarray(at, at + PREVIEW_BYTES) } }
}
