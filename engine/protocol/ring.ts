/**
 * A single-producer single-consumer byte ring over a lane's words and a region of a slab.
 *
 * The discipline is the classic one (Lamport 1977; the Aeron ring buffers publish the same way): the producer
 * alone stores TAIL, after the bytes; the consumer alone stores HEAD, after it is done with the bytes. `Atomics`
 * operations are sequentially consistent, so a loaded TAIL makes every byte before it visible.
 *
 * Both sides work in two segments (to the end of the region, then from its start), so that the kernel can read
 * into the ring and write from it. Each keeps its own position as a plain field and the other's as a cached copy
 * that is loaded again only when the cached one is not enough.
 *
 * Region changes are explained in ring-layout.ts.
 */
import { copyIn, copyOut } from './copy.js'
import { sizeOfRegion, type RingWords } from './ring-layout.js'
import type { Slab, SlabTable } from './slab-table.js'
import { NO_SLAB, regionOffset } from './slab-table.js'

/** a - b for positions, which wrap at 2^32. */
export function distance(a: number, b: number): number {
  return (a - b) | 0
}

export class RingProducer {
  /** Next byte to be written; ahead of the stored TAIL until `publish()`. */
  tail: number
  published: number
  /** The consumer's HEAD as last loaded. */
  head: number
  slab: Slab
  origin: number
  capacity: number
  mask: number
  regionId: number
  /** Is shown each HEAD that is loaded, before anything behind it is overwritten. */
  onHead: ((head: number) => void) | undefined

  readonly #slabs: SlabTable
  readonly #words: Int32Array
  readonly #tailWord: number
  readonly #headWord: number
  readonly #regionWord: number
  readonly #switchWord: number
  readonly #ackWord: number

  constructor(words: Int32Array, base: number, names: RingWords, slabs: SlabTable) {
    this.#words = words
    this.#slabs = slabs
    this.#tailWord = base + names.tail
    this.#headWord = base + names.head
    this.#regionWord = base + names.region
    this.#switchWord = base + names.switchAt
    this.#ackWord = base + names.regionAck
    this.tail = Atomics.load(words, this.#tailWord)
    this.published = this.tail
    this.head = Atomics.load(words, this.#headWord)
    this.regionId = Atomics.load(words, this.#regionWord)
    this.slab = slabs.slabOf(this.regionId)
    this.capacity = sizeOfRegion(this.regionId)
    this.mask = this.capacity - 1
    this.origin = regionOffset(this.regionId)
  }

  /** Bytes that can be written, by the cached HEAD. Right after a region change this errs on the small side. */
  get free(): number {
    return this.capacity - ((this.tail - this.head) | 0)
  }

  /** Loads HEAD, then says how many bytes can be written. */
  refreshFree(): number {
    this.head = Atomics.load(this.#words, this.#headWord)
    if (this.onHead !== undefined) this.onHead(this.head)
    return this.capacity - ((this.tail - this.head) | 0)
  }

  /** Bytes from the tail to the end of the region: the first segment of a claim of that size or more. */
  get contiguous(): number {
    return this.capacity - (this.tail & this.mask)
  }

  /** Where the tail lies in `slab.bytes`. */
  get offset(): number {
    return this.origin + (this.tail & this.mask)
  }

  /** Copies bytes in; the caller has made sure that they fit. */
  write(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    const at = this.tail & this.mask
    const first = Math.min(length, this.capacity - at)
    const whole = start === 0 && end === source.length
    const target = this.slab.bytes
    if (first === length) {
      copyIn(target, this.origin + at, whole ? source : source.subarray(start, end))
    } else {
      copyIn(target, this.origin + at, source.subarray(start, start + first))
      copyIn(target, this.origin, source.subarray(start + first, end))
    }
    this.tail = (this.tail + length) | 0
  }

  /** Counts bytes that someone else (the kernel) has written at the tail. */
  commit(length: number): void {
    this.tail = (this.tail + length) | 0
  }

  /** Makes everything written so far visible to the consumer. */
  publish(): void {
    this.published = this.tail
    Atomics.store(this.#words, this.#tailWord, this.tail)
  }

  get unpublished(): number {
    return (this.tail - this.published) | 0
  }

  /** Whether the consumer has left the region before the current one, so that another change is allowed. */
  get settled(): boolean {
    return Atomics.load(this.#words, this.#ackWord) === this.regionId
  }

  /**
   * Everything written from here on goes into another region. Only when `settled`; a smaller region only when
   * the ring is empty, since `free` must never be negative.
   */
  switchTo(regionId: number): void {
    // SWITCH_AT before REGION: a consumer that sees the new id must find the position that belongs to it.
    Atomics.store(this.#words, this.#switchWord, this.tail)
    Atomics.store(this.#words, this.#regionWord, regionId)
    this.regionId = regionId
    this.slab = this.#slabs.slabOf(regionId)
    this.capacity = sizeOfRegion(regionId)
    this.mask = this.capacity - 1
    this.origin = regionOffset(regionId)
  }

  /** Nothing is written any more. The positions stay as they are. */
  leave(): void {
    this.slab = NO_SLAB
  }
}

export class RingConsumer {
  /** Next byte to be read; ahead of the stored HEAD until `release()`. */
  head: number
  released: number
  /** How far the current region can be read: the loaded TAIL, or where the region ends. */
  limit: number
  slab: Slab
  origin: number
  capacity: number
  mask: number
  regionId: number

  /** The TAIL as last loaded. */
  #tail: number
  readonly #slabs: SlabTable
  readonly #words: Int32Array
  readonly #tailWord: number
  readonly #headWord: number
  readonly #regionWord: number
  readonly #switchWord: number
  readonly #ackWord: number

  constructor(words: Int32Array, base: number, names: RingWords, slabs: SlabTable) {
    this.#words = words
    this.#slabs = slabs
    this.#tailWord = base + names.tail
    this.#headWord = base + names.head
    this.#regionWord = base + names.region
    this.#switchWord = base + names.switchAt
    this.#ackWord = base + names.regionAck
    this.head = Atomics.load(words, this.#headWord)
    this.released = this.head
    this.#tail = this.head
    this.limit = this.head
    this.regionId = Atomics.load(words, this.#ackWord)
    this.slab = slabs.slabOf(this.regionId)
    this.capacity = sizeOfRegion(this.regionId)
    this.mask = this.capacity - 1
    this.origin = regionOffset(this.regionId)
  }

  /** The TAIL as last loaded, wherever it lies. */
  get seen(): number {
    return this.#tail
  }

  /** Bytes readable in the current region, by the cached TAIL. */
  get readable(): number {
    return (this.limit - this.head) | 0
  }

  /** Loads TAIL and follows a region change that has been reached; says how many bytes can be read. */
  refresh(): number {
    // TAIL before REGION: whoever sees a TAIL beyond a change must also see the change.
    const tail = Atomics.load(this.#words, this.#tailWord)
    const region = Atomics.load(this.#words, this.#regionWord)
    this.#tail = tail
    this.limit = tail
    if (region !== this.regionId) {
      const switchAt = Atomics.load(this.#words, this.#switchWord)
      if (((tail - switchAt) | 0) >= 0) {
        if (this.head === switchAt) this.#enter(region)
        else this.limit = switchAt
      }
    }
    return (this.limit - this.head) | 0
  }

  /** Whether more bytes than `readable` are there, but in the next region: none will follow in this one. */
  get regionEnds(): boolean {
    return this.limit !== this.#tail || Atomics.load(this.#words, this.#regionWord) !== this.regionId
  }

  /** Bytes from the head to the end of the region. */
  get contiguous(): number {
    return this.capacity - (this.head & this.mask)
  }

  /** Where the head lies in `slab.bytes`. */
  get offset(): number {
    return this.origin + (this.head & this.mask)
  }

  /** Copies the next bytes out without consuming them; the caller has made sure that they are there. */
  read(target: Buffer, at: number, length: number): void {
    const from = this.head & this.mask
    const first = Math.min(length, this.capacity - from)
    const bytes = this.slab.bytes
    copyOut(bytes, this.origin + from, first, target, at)
    if (first < length) copyOut(bytes, this.origin, length - first, target, at + first)
  }

  consume(length: number): void {
    this.head = (this.head + length) | 0
  }

  /** Gives everything consumed so far back to the producer. */
  release(): void {
    this.released = this.head
    Atomics.store(this.#words, this.#headWord, this.head)
  }

  get unreleased(): number {
    return (this.head - this.released) | 0
  }

  #enter(regionId: number): void {
    this.slab = this.#slabs.slabOf(regionId)
    this.capacity = sizeOfRegion(regionId)
    this.mask = this.capacity - 1
    this.origin = regionOffset(regionId)
    this.regionId = regionId
    // HEAD before the acknowledgement: the producer must not take the old region back while HEAD lies in it.
    this.release()
    Atomics.store(this.#words, this.#ackWord, regionId)
  }
}
