/**
 * Makes and opens segments. The accepting side makes the file, and the dialling side opens it: by a descriptor of the
 * other process, or by a path. It uses no file before it has made sure that it is the one that was meant, belongs to
 * this user and has the size that was agreed on.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import type { Mapping, NativeMemory } from '../native/native-memory.js'
import { VERSION, type SegmentOffer } from './handshake-messages.js'
import { makePrivateFile, openOffered, PRIVATE_MODE, type SegmentFile } from './segment-file.js'
import {
  bytesBefore,
  header,
  HEADER_BYTES,
  MAGIC,
  NONCE_BYTES,
  ringOffset,
  ringSizesUpTo,
  segmentBytes,
  word,
  wordsOf,
  type Direction,
  type RingSizes,
} from './segment-layout.js'
import type { SharedLedger } from './shared-ledger.js'

export class Segment {
  readonly sizes: RingSizes
  /** The number of the ring that both directions begin with. */
  readonly firstRing: number
  /** Bytes that have memory: the header, and the rings of this side and the other side's first one. */
  reservedBytes: number
  readonly #descriptor: number
  readonly #mapping: Mapping
  readonly ledger: SharedLedger
  #isOpen = true
  #isReleased = false

  /** The descriptor is the segment's from here on, unless this throws. @throws The system's error. */
  constructor(native: NativeMemory, ledger: SharedLedger, descriptor: number, size: SegmentSize) {
    const { sizes, firstRing } = size
    this.sizes = sizes
    this.firstRing = firstRing
    this.ledger = ledger
    this.#descriptor = descriptor
    this.#mapping = native.map(descriptor, segmentBytes(sizes))
    this.reservedBytes = HEADER_BYTES + 2 * (sizes[firstRing] ?? 0)
    ledger.open('segments')
    ledger.open('mappings')
  }

  /** The header, and every ring up to the first ones. */
  get firstPart(): ArrayBuffer {
    return this.#mapping.view(0, bytesBefore(this.sizes, this.firstRing + 1))
  }

  /** The same memory for handlers to look at: what they detach is not this side's. */
  lendFirstPart(): ArrayBuffer {
    return this.#mapping.lend(0, bytesBefore(this.sizes, this.firstRing + 1))
  }

  lendRing(ring: number, direction: Direction): ArrayBuffer {
    return this.#mapping.lend(ringOffset(this.sizes, ring, direction), this.sizes[ring] ?? 0)
  }

  /** A ring that lies behind the first part. */
  ringMemory(ring: number, direction: Direction): ArrayBuffer {
    return this.#mapping.view(ringOffset(this.sizes, ring, direction), this.sizes[ring] ?? 0)
  }

  /** Takes memory for a ring, so that using it cannot fail. @throws The system's error: there is none. */
  reserve(ring: number, direction: Direction): void {
    const size = this.sizes[ring] ?? 0
    this.#mapping.reserve(ringOffset(this.sizes, ring, direction), size)
    this.reservedBytes += size
  }

  /** Gives the memory of a ring back that both sides are done with. */
  discard(ring: number, direction: Direction): void {
    const size = this.sizes[ring] ?? 0
    this.#mapping.discard(ringOffset(this.sizes, ring, direction), size)
    this.reservedBytes -= size
  }

  /** Nobody opens the file by its descriptor any more: it is closed where it can be done without. */
  leaveFile(): void {
    if (!this.#mapping.needsDescriptor) this.#closeFile()
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#mapping.release()
    this.ledger.release('mappings')
    this.#closeFile()
  }

  #closeFile(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    fs.closeSync(this.#descriptor)
    this.ledger.release('segments')
  }
}

export interface SegmentSize {
  readonly sizes: RingSizes
  readonly firstRing: number
}

export interface MadeSegment {
  readonly segment: Segment
  readonly offer: SegmentOffer
  /** The other side has it, or will not: what it was reached by goes. */
  readonly withdraw: () => void
}

/** @throws The system's error. */
export function makeSegment(
  native: NativeMemory,
  ledger: SharedLedger,
  mode: 'descriptor' | 'path',
  ringBytes: { readonly first: number; readonly most: number },
): MadeSegment {
  const size = sizeOf(ringBytes.most, ringBytes.first)
  const bytes = segmentBytes(size.sizes)
  const file = mode === 'descriptor' ? makeMemoryFile(native, bytes) : makePrivateFile(bytes)
  let segment: Segment | undefined
  try {
    const first = size.sizes[size.firstRing] ?? 0
    native.reserve(file.descriptor, 0, HEADER_BYTES)
    native.reserve(file.descriptor, ringOffset(size.sizes, size.firstRing, 0), 2 * first)
    const made = new Segment(native, ledger, file.descriptor, size)
    segment = made
    const nonce = randomBytes(NONCE_BYTES)
    writeHeader(made, file.descriptor, bytes, ringBytes, nonce)
    const { most: mostRingBytes, first: firstRingBytes } = ringBytes
    const withdraw = (): void => {
      file.unlink()
      made.leaveFile()
    }
    return { segment: made, offer: { mostRingBytes, firstRingBytes, bytes, nonce, at: file.at }, withdraw }
  } catch (error) {
    file.unlink()
    if (segment === undefined) fs.closeSync(file.descriptor)
    else segment.release()
    throw error
  }
}

/** @throws The system's error, or one that says what is wrong with the file. */
export function openSegment(native: NativeMemory, ledger: SharedLedger, offer: SegmentOffer): Segment {
  const descriptor = openOffered(offer.at)
  let segment: Segment | undefined
  try {
    checkFile(native, descriptor, offer)
    segment = new Segment(native, ledger, descriptor, sizeOf(offer.mostRingBytes, offer.firstRingBytes))
    segment.leaveFile()
    return segment
  } catch (error) {
    if (segment === undefined) fs.closeSync(descriptor)
    else segment.release()
    throw error
  }
}

function makeMemoryFile(native: NativeMemory, bytes: number): SegmentFile {
  const descriptor = native.createMemfd('symphony-transport')
  try {
    fs.ftruncateSync(descriptor, bytes)
    native.sealSize(descriptor)
  } catch (error) {
    fs.closeSync(descriptor)
    throw error
  }
  return { descriptor, at: { mode: 'descriptor', pid: process.pid, descriptor }, unlink: () => undefined }
}

function sizeOf(mostBytes: number, firstBytes: number): SegmentSize {
  const sizes = ringSizesUpTo(mostBytes) ?? []
  return { sizes, firstRing: sizes.indexOf(firstBytes) }
}

function writeHeader(
  segment: Segment,
  descriptor: number,
  bytes: number,
  ringBytes: { readonly first: number; readonly most: number },
  nonce: Buffer,
): void {
  const page = Buffer.alloc(header.NONCE + NONCE_BYTES)
  page.write(MAGIC, header.MAGIC, 'latin1')
  page.writeUInt32LE(VERSION, header.VERSION)
  page.writeUInt32LE(bytes, header.BYTES)
  page.writeUInt32LE(ringBytes.most, header.MOST_RING_BYTES)
  page.writeUInt32LE(ringBytes.first, header.FIRST_RING_BYTES)
  nonce.copy(page, header.NONCE)
  if (fs.writeSync(descriptor, page, 0, page.length, 0) !== page.length) throw new Error('the file takes no more')
  const words = new Int32Array(segment.firstPart, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT)
  for (const direction of [0, 1] as const) {
    words[wordsOf(direction) + word.RING] = segment.firstRing
    words[wordsOf(direction) + word.RING_ACK] = segment.firstRing
  }
}

/** Of the file itself. What lies in it the peer can change at any time. */
function checkFile(native: NativeMemory, descriptor: number, { bytes, at, nonce }: SegmentOffer): void {
  const stat = fs.fstatSync(descriptor)
  if (!stat.isFile() || stat.uid !== process.geteuid?.()) throw new Error('the file offered is not of this user')
  if (stat.size !== bytes) throw new Error('the file offered has another size')
  if (at.mode === 'descriptor' && !native.isSizeSealed(descriptor)) throw new Error('the file offered can shrink')
  if (at.mode === 'path' && (stat.mode & 0o777) !== PRIVATE_MODE) throw new Error('others may use the file offered')
  if (!isMeant(descriptor, nonce)) throw new Error('the file offered is not the segment that was meant')
}

/**
 * So that a number that stands for another file by now, or a path that leads elsewhere, is not mapped. Read from the
 * file: reading it in memory would take memory where it has none yet, which may be a signal.
 */
function isMeant(descriptor: number, nonce: Buffer): boolean {
  const start = Buffer.alloc(header.NONCE + NONCE_BYTES)
  if (fs.readSync(descriptor, start, 0, start.length, 0) !== start.length) return false
  const isSegment = start.toString('latin1', header.MAGIC, header.MAGIC + MAGIC.length) === MAGIC
  return isSegment && start.subarray(header.NONCE).equals(nonce)
}
