/**
 * A single-producer single-consumer byte ring over a lane's words and a region of a slab.
 *
 * The discipline is the classic one (Lamport 1977; the Aeron ring buffers publish the same way): the producer
 * alone stores TAIL, after the bytes; the consumer alone stores HEAD, after it is done with the bytes. `Atomics`
 * operations are sequentially consistent, so a loaded TAIL makes every byte before it visible.
 *
 * Both sides work in two segments (to the end of the region, then from its start), so that the kernel can read
 * into the ring and write from it. Each keeps its own position as a plain field and the other's as a cached copy
 * that is loaded again only when the cached one is not enough. Only this file changes either: others ask for room,
 * write to or read from where the ring says, and report how much.
 *
 * Region changes are explained in ring-layout.ts.
 */
import { copyIn, copyOut } from './copy.js'
import { sizeOfRegion, type RingWords } from './ring-layout.js'
import { NO_SLAB, regionOffset, type Slab, type SlabTable } from './slab-table.js'

/** a - b for positions, which wrap at 2^32. */
export function distance(a: number, b: number): number {
  return (a - b) | 0
}

/** What both ends have: the words of their direction, and where in memory the bytes lie. */
abstract class RingView {
  readonly slab: Slab = NO_SLAB
  /** Where the region begins in `slab.bytes`. */
  readonly origin: number = 0
  readonly capacity: number = 0
  readonly mask: number = 0
  readonly regionId: number = 0

  protected readonly words: Int32Array
  protected readonly tailWord: number
  protected readonly headWord: number
  protected readonly regionWord: number
  protected readonly switchWord: number
  protected readonly ackWord: number
  readonly #slabs: SlabTable

  constructor(words: Int32Array, base: number, names: RingWords, slabs: SlabTable) {
    this.words = words
    this.#slabs = slabs
    this.tailWord = base + names.tail
    this.headWord = base + names.head
    this.regionWord = base + names.region
    this.switchWord = base + names.switchAt
    this.ackWord = base + names.regionAck
  }

  protected enter(regionId: number): void {
    moveTo(this, regionId, this.#slabs.slabOf(regionId))
  }
}

/** A function, since what is read-only to all others can be written through a parameter of this type. */
function moveTo(
  ring: { -readonly [Field in 'slab' | 'origin' | 'capacity' | 'mask' | 'regionId']: RingView[Field] },
  regionId: number,
  slab: Slab,
): void {
  ring.slab = slab
  ring.capacity = sizeOfRegion(regionId)
  ring.mask = ring.capacity - 1
  ring.origin = regionOffset(regionId)
  ring.regionId = regionId
}

export class RingProducer extends RingView {
  #tail: number
  #published: number
  #head: number
  #onHead: ((head: number) => void) | undefined
  #fetch: (() => void) | undefined

  constructor(words: Int32Array, base: number, names: RingWords, slabs: SlabTable) {
    super(words, base, names, slabs)
    this.#tail = Atomics.load(words, this.tailWord)
    this.#published = this.#tail
    this.#head = Atomics.load(words, this.headWord)
    this.enter(Atomics.load(words, this.regionWord))
  }

  /** Next byte to be written; ahead of the stored TAIL until `publish()`. */
  get tail(): number {
    return this.#tail
  }

  /** The consumer's HEAD as last loaded. */
  get head(): number {
    return this.#head
  }

  /** Shows `onHead` each HEAD that is loaded, before anything behind it is overwritten. */
  observeHead(onHead: (head: number) => void): void {
    this.#onHead = onHead
  }

  /** Calls `fetch` before each time HEAD is loaded: nobody else stores it. */
  fetchHead(fetch: () => void): void {
    this.#fetch = fetch
  }

  /** Bytes that can be written, by the cached HEAD. Right after a region change this errs on the small side. */
  get free(): number {
    return this.capacity - ((this.#tail - this.#head) | 0)
  }

  /** Loads HEAD, then says how many bytes can be written. */
  refreshFree(): number {
    if (this.#fetch !== undefined) this.#fetch()
    this.#head = Atomics.load(this.words, this.headWord)
    if (this.#onHead !== undefined) this.#onHead(this.#head)
    return this.capacity - ((this.#tail - this.#head) | 0)
  }

  /** Whether so many bytes can be written. Loads HEAD only if the cached one is not enough. */
  hasRoom(length: number): boolean {
    return this.free >= length || this.refreshFree() >= length
  }

  /** Bytes from the tail to the end of the region: the first segment of a claim of that size or more. */
  get contiguous(): number {
    return this.capacity - (this.#tail & this.mask)
  }

  /** Where the tail lies in `slab.bytes`. */
  get offset(): number {
    return this.origin + (this.#tail & this.mask)
  }

  /** Copies bytes in; the caller has made sure that they fit. */
  write(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    const at = this.#tail & this.mask
    const first = Math.min(length, this.capacity - at)
    const whole = start === 0 && end === source.length
    const target = this.slab.bytes
    if (first === length) {
      copyIn(target, this.origin + at, whole ? source : source.subarray(start, end))
    } else {
      copyIn(target, this.origin + at, source.subarray(start, start + first))
      copyIn(target, this.origin, source.subarray(start + first, end))
    }
    this.commit(length)
  }

  /** Goes on behind what another producer has published meanwhile, in the same region. */
  rejoin(): void {
    this.#tail = Atomics.load(this.words, this.tailWord)
    this.#published = this.#tail
    this.#head = Atomics.load(this.words, this.headWord)
  }

  /** Counts bytes that were written at `offset` by someone else, as the kernel. */
  commit(length: number): void {
    this.#tail = (this.#tail + length) | 0
  }

  /** Makes everything written so far visible to the consumer. */
  publish(): void {
    this.#published = this.#tail
    Atomics.store(this.words, this.tailWord, this.#tail)
  }

  get unpublished(): number {
    return (this.#tail - this.#published) | 0
  }

  /**
   * Whether the consumer has released all that was published, and what is not published lies in one piece. Loads HEAD.
   */
  get isDrained(): boolean {
    const isWhole = (this.#published & this.mask) + this.unpublished <= this.capacity
    return isWhole && Atomics.load(this.words, this.headWord) === this.#published
  }

  /** Where what is not published begins in `slab.bytes`. */
  get unpublishedOffset(): number {
    return this.origin + (this.#published & this.mask)
  }

  /** Takes back the first bytes of what is not published, which lies in one piece: the rest moves to their place. */
  retract(length: number): void {
    const from = this.unpublishedOffset
    const rest = this.unpublished - length
    if (rest > 0) this.slab.bytes.copyWithin(from, from + length, from + length + rest)
    this.#tail = (this.#tail - length) | 0
  }

  /** Whether the consumer has left the region before the current one, so that another change is allowed. */
  get settled(): boolean {
    return Atomics.load(this.words, this.ackWord) === this.regionId
  }

  /**
   * Everything written from here on goes into another region. Only when `settled`; a smaller region only when
   * the ring is empty, since `free` must never be negative.
   */
  switchTo(regionId: number): void {
    // SWITCH_AT before REGION: a consumer that sees the new id must find the position that belongs to it.
    Atomics.store(this.words, this.switchWord, this.#tail)
    Atomics.store(this.words, this.regionWord, regionId)
    this.enter(regionId)
  }

  /** Nothing is written any more. The positions stay as they are, and the memory can be collected. */
  leave(): void {
    moveTo(this, this.regionId, NO_SLAB)
  }
}

export class RingConsumer extends RingView {
  #head: number
  #released: number
  /** How far the current region can be read: the loaded TAIL, or where the region ends. */
  #limit: number
  #seen: number

  constructor(words: Int32Array, base: number, names: RingWords, slabs: SlabTable) {
    super(words, base, names, slabs)
    this.#head = Atomics.load(words, this.headWord)
    this.#released = this.#head
    this.#limit = this.#head
    this.#seen = this.#head
    this.enter(Atomics.load(words, this.ackWord))
  }

  /** Next byte to be read; ahead of the stored HEAD until `release()`. */
  get head(): number {
    return this.#head
  }

  /** The TAIL as last loaded, wherever it lies. */
  get seen(): number {
    return this.#seen
  }

  /** Bytes readable in the current region, by the cached TAIL. */
  get readable(): number {
    return (this.#limit - this.#head) | 0
  }

  /** Loads TAIL and follows a region change that has been reached; says how many bytes can be read. */
  refresh(): number {
    // TAIL before REGION: a TAIL beyond a change must not be seen without the change.
    const tail = Atomics.load(this.words, this.tailWord)
    const region = Atomics.load(this.words, this.regionWord)
    this.#seen = tail
    this.#limit = tail
    if (region !== this.regionId) {
      const switchAt = Atomics.load(this.words, this.switchWord)
      if (((tail - switchAt) | 0) >= 0) {
        if (this.#head === switchAt) this.#follow(region)
        else this.#limit = switchAt
      }
    }
    return (this.#limit - this.#head) | 0
  }

  /** Whether more bytes than `readable` are there, but in the next region: none will follow in this one. */
  get regionEnds(): boolean {
    return this.#limit !== this.#seen || Atomics.load(this.words, this.regionWord) !== this.regionId
  }

  /** Bytes from the head to the end of the region. */
  get contiguous(): number {
    return this.capacity - (this.#head & this.mask)
  }

  /** Where the head lies in `slab.bytes`. */
  get offset(): number {
    return this.origin + (this.#head & this.mask)
  }

  /** Copies `length` bytes out, `skip` behind the head, and consumes none; the caller knows that they are there. */
  read(target: Buffer, at: number, length: number, skip = 0): void {
    const from = (this.#head + skip) & this.mask
    const first = Math.min(length, this.capacity - from)
    const bytes = this.slab.bytes
    copyOut(bytes, this.origin + from, first, target, at)
    if (first < length) copyOut(bytes, this.origin, length - first, target, at + first)
  }

  consume(length: number): void {
    this.#head = (this.#head + length) | 0
  }

  /** Gives everything consumed so far back to the producer. */
  release(): void {
    this.#released = this.#head
    Atomics.store(this.words, this.headWord, this.#head)
  }

  get unreleased(): number {
    return (this.#head - this.#released) | 0
  }

  #follow(regionId: number): void {
    this.enter(regionId)
    // HEAD before the acknowledgement: the producer must not take the old region back while HEAD lies in it.
    this.release()
    Atomics.store(this.words, this.ackWord, regionId)
  }
}
