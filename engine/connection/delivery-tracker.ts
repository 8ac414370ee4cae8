/**
 * What becomes of each frame when a connection is over, for connections with `ConnectionSettings.tracking`.
 *
 * HEAD and SENT say it exactly, whatever ended the shard: what ends at or before HEAD was handed over, what starts at
 * or behind SENT was never touched. The bytes of all others are in the out ring and the queue in front of it, where
 * main reads them once the shard has given the lane up. Two things would be lost on the way: where frames begin, since
 * HEAD may stand in the middle of one; and the beginning of that frame, which the ring overwrites. Both are kept here,
 * by looking at each HEAD that the producer loads: it overwrites nothing behind a HEAD that it has not loaded.
 */
import { copyOut } from '../protocol/copy.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import type { FramingKind } from '../protocol/framing.js'
import { isOutOfMemory, takeMemory } from '../protocol/allocation.js'
import type { Slab } from '../protocol/slab-table.js'
import { distance, type RingProducer } from '../protocol/ring.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import { SizeQueue } from './size-queue.js'

export interface DeliveryTracking {
  /** How many of the last bytes that were handed over are kept, headers included, in whole frames. 0: none. */
  readonly retainBytes: number
}

/** Framings whose receiver cannot mistake a part of a frame for a whole one. */
const WHOLE_OR_NOTHING: readonly FramingKind[] = ['length', 'length-be', 'content-length']

/** The region that the ring is leaving, until the shard has left it. */
interface FormerRegion {
  readonly slab: Slab
  readonly origin: number
  readonly capacity: number
  /** The first position that lies in the next region. */
  readonly end: number
}

const NOTHING: Buffer = Buffer.alloc(0)

export class DeliveryTracker {
  readonly #ring: RingProducer
  readonly #framing: FramingKind
  readonly #retainBytes: number
  readonly #sizes = new SizeQueue()
  /** Position of the oldest frame that was not handed over whole. */
  #start: number
  #handedOver = 0
  /** The first bytes of that frame, as far as HEAD has passed them. */
  #begun = NOTHING
  #begunBytes = 0
  /** There was no memory for them: unless it is handed over whole, that frame is lost. */
  #isTorn = false
  #former: FormerRegion | undefined
  #retained: Buffer[] = []
  #retainedBytes = 0

  constructor(ring: RingProducer, framing: FramingKind, settings: DeliveryTracking) {
    this.#ring = ring
    this.#framing = framing
    this.#retainBytes = settings.retainBytes
    this.#start = ring.tail
    ring.observeHead((head) => this.#onHead(head))
  }

  /** No frame may be taken before there is room for its size. */
  get isFull(): boolean {
    return this.#sizes.isFull
  }

  /** For so many frames. @throws {TransportError} ERR_OUT_OF_MEMORY */
  makeRoom(frames = 1): void {
    if (this.#sizes.hasRoomFor(frames)) return
    // Where nothing makes the producer look, frames would pile up here.
    this.#ring.refreshFree()
    this.#sizes.makeRoom(frames)
  }

  /** A frame was taken; its bytes are in the ring and in the queue before it, and none of them is published yet. */
  took(payloadBytes: number): void {
    this.#sizes.push(payloadBytes + FRAME_HEADER_BYTES)
  }

  /** The system has taken the first bytes that are not published from main, and the ring takes them back. */
  left(length: number): void {
    const start = this.#ring.tail - this.#ring.unpublished
    this.#onHead((start + length) | 0)
    this.#start = (this.#start - length) | 0
  }

  /** The ring is about to move to another region. */
  leaveRegion(): void {
    const { slab, origin, capacity, tail } = this.#ring
    this.#former = { slab, origin, capacity, end: tail }
  }

  /** The shard has left the former region, which is about to be given away. */
  forgetRegion(): void {
    this.#ring.refreshFree()
    this.#former = undefined
  }

  /** What became of everything taken. Called once, after the shard gave the lane up; `queued` waits behind the ring. */
  settle(head: number, sent: number, queued: readonly Uint8Array[]): DeliveryReport {
    this.#onHead(head)
    const frames = this.#sizes.length
    try {
      return this.#tell(head, sent, queued)
    } catch (error) {
      if (!isOutOfMemory(error)) throw error
      return { handedOver: this.#handedOver, retained: [], unconfirmed: [], unsent: [], lost: frames }
    }
  }

  #tell(head: number, sent: number, queued: readonly Uint8Array[]): DeliveryReport {
    const bytes = this.#gather(head, queued)
    const sentAt = Math.max(distance(sent, this.#start), distance(head, this.#start))
    const isWhole = WHOLE_OR_NOTHING.includes(this.#framing)
    const unconfirmed: Buffer[] = []
    const unsent: Buffer[] = []
    let at = 0
    let lost = 0
    for (let size = this.#sizes.shift(); size !== undefined; size = this.#sizes.shift()) {
      const end = at + size
      if (at === 0 && this.#isTorn) {
        lost++
        at = end
        continue
      }
      const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end)
      const isUnsent = at >= sentAt || (end > sentAt && isWhole)
      // A copy: a user that keeps a few of these must not keep all the bytes.
      if (isUnsent) unsent.push(payload)
      else unconfirmed.push(copyOf(payload))
      at = end
    }
    const retained = this.#retained
    this.#retained = []
    return { handedOver: this.#handedOver, retained, unconfirmed, unsent, lost }
  }

  /** The producer has loaded this HEAD and may overwrite what lies before it from now on. */
  #onHead(head: number): void {
    const gone = distance(head, this.#start)
    let whole = this.#retainBytes > 0 ? this.#sizes.wholeWithin(gone) : 0
    for (let size = this.#sizes.first; size !== undefined; size = this.#sizes.first) {
      if (distance(head, this.#start) < size) break
      whole -= size
      if (this.#retainBytes > 0) this.#retain(size, whole)
      this.#sizes.shift()
      this.#start = (this.#start + size) | 0
      this.#begunBytes = 0
      this.#isTorn = false
      this.#handedOver++
    }
    this.#keepBeginning(head)
  }

  #keepBeginning(head: number): void {
    const gone = distance(head, this.#start)
    const size = this.#sizes.first
    if (size === undefined || gone <= this.#begunBytes || this.#isTorn) return
    if (this.#begun.length < size) {
      const larger = tryTakeMemory(size)
      if (larger === undefined) {
        this.#isTorn = true
        return
      }
      this.#begun.copy(larger, 0, 0, this.#begunBytes)
      this.#begun = larger
    }
    this.#read(this.#begunBytes, gone, this.#begun, this.#begunBytes)
    this.#begunBytes = gone
  }

  /** `behind`: bytes of frames that were handed over after this one, which count first. */
  #retain(size: number, behind: number): void {
    const fits = behind + size <= this.#retainBytes && !this.#isTorn
    const payload = fits ? tryTakeMemory(size - FRAME_HEADER_BYTES) : undefined
    if (payload === undefined) {
      // Nothing before it is among the last bytes either.
      this.#retained = []
      this.#retainedBytes = 0
      return
    }
    const kept = Math.max(0, this.#begunBytes - FRAME_HEADER_BYTES)
    if (kept > 0) this.#begun.copy(payload, 0, FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + kept)
    this.#read(FRAME_HEADER_BYTES + kept, size, payload, kept)
    this.#retained.push(payload)
    this.#retainedBytes += size
    let dropped = 0
    for (const old of this.#retained) {
      if (this.#retainedBytes <= this.#retainBytes) break
      this.#retainedBytes -= old.length + FRAME_HEADER_BYTES
      dropped++
    }
    if (dropped > 0) this.#retained.splice(0, dropped)
  }

  /** All bytes from the start of the oldest frame that was not handed over whole. */
  #gather(head: number, queued: readonly Uint8Array[]): Buffer {
    const begun = distance(head, this.#start)
    const ringEnd = distance(this.#ring.tail, this.#start)
    let total = ringEnd
    for (const chunk of queued) total += chunk.length
    const bytes = takeMemory(total)
    if (!this.#isTorn) this.#begun.copy(bytes, 0, 0, begun)
    this.#read(begun, ringEnd, bytes, begun)
    let at = ringEnd
    for (const chunk of queued) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return bytes
  }

  /** Copies what lies `from` to `to` bytes behind the start of the oldest frame out of the ring's regions. */
  #read(from: number, to: number, target: Buffer, at: number): void {
    const former = this.#former
    let done = from
    if (former !== undefined) {
      const formerEnd = Math.min(to, distance(former.end, this.#start))
      if (done < formerEnd) {
        readRegion(former, (this.#start + done) | 0, formerEnd - done, target, at)
        done = formerEnd
      }
    }
    if (done < to) readRegion(this.#ring, (this.#start + done) | 0, to - done, target, at + done - from)
  }
}

function tryTakeMemory(bytes: number): Buffer | undefined {
  try {
    return takeMemory(bytes)
  } catch (error) {
    if (!isOutOfMemory(error)) throw error
    return undefined
  }
}

function copyOf(bytes: Buffer): Buffer {
  const copy = takeMemory(bytes.length)
  bytes.copy(copy)
  return copy
}

function readRegion(
  { slab, origin, capacity }: Pick<FormerRegion, 'slab' | 'origin' | 'capacity'>,
  position: number,
  length: number,
  target: Buffer,
  at: number,
): void {
  const from = position & (capacity - 1)
  const first = Math.min(length, capacity - from)
  copyOut(slab.bytes, origin + from, first, target, at)
  if (first < length) copyOut(slab.bytes, origin, length - first, target, at + first)
}
