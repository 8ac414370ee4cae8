/**
 * The shard's side of a lane: the kernel reads into the ring's memory and writes from it, and this class moves the
 * positions. It knows no transport; a wire carries the bytes.
 *
 * Reading. The view for the next read must be chosen right after each read, before it is known whether reading goes
 * on: Node asks for it once and not again on resume. So when room is short the view is cut to exactly `target`
 * bytes, the room is asked for, and reading stops until that much is free.
 */
import type { BellNotifier } from '../../engine/protocol/bell.js'
import type { LaneGrant } from '../../engine/protocol/lane.js'
import { takeArmed } from '../../engine/protocol/lane.js'
import { BufferView } from '../../engine/internals/buffer-view.js'
import type { SlabTable } from '../../engine/protocol/slab-table.js'
import { distance, RingConsumer, RingProducer } from '../../engine/protocol/ring.js'
import {
  failureCalls,
  inState,
  intent,
  inWords,
  lane,
  life,
  outState,
  outWords,
} from '../../engine/protocol/ring-layout.js'
import { systemErrno } from '../../engine/protocol/system-errno.js'
import type { Role } from '../../engine/protocol/target.js'
import type { FrameOwner, Wire } from '../wire.js'
import { FramingFault, framingFaults } from '../../engine/protocol/framing.js'
import type { Meter } from '../meter.js'

/**
 * One write hands over at most this much. It bounds the part of the stream whose fate is unknown if the shard dies,
 * and lets main refill the ring while the kernel is busy with the rest.
 */
const MAX_WRITE_BYTES = 262_144

const EIO = systemErrno('EIO')

/** A read or write of this size is part of a stream: the shard will be busy with the next one, not asleep. */
const BULK_BYTES = 16_384

type PumpState =
  | { readonly kind: 'detached' }
  | { readonly kind: 'attached'; readonly wire: Wire }
  /** Everything has left and the wire was told to end. */
  | { readonly kind: 'ending'; readonly wire: Wire }
  | { readonly kind: 'closed' }

export class Pump implements FrameOwner {
  readonly id: number
  readonly role: Role
  readonly #words: Int32Array
  readonly #base: number
  readonly #in: RingProducer
  readonly #out: RingConsumer
  readonly #bell: BellNotifier
  readonly #meter: Meter
  readonly #onGone: (id: number) => void
  #state: PumpState = { kind: 'detached' }
  #view: Buffer
  #readingPaused = false
  /** It was accepted, and main has been told nothing of it. */
  #isNew: boolean
  /** Bytes of the write in flight; 0: none is. */
  #writing = 0

  constructor(
    grant: LaneGrant,
    role: Role,
    words: Int32Array,
    base: number,
    slabs: SlabTable,
    bell: BellNotifier,
    meter: Meter,
    onGone: (id: number) => void,
  ) {
    this.id = grant.id
    this.role = role
    this.#isNew = role === 'accepted'
    this.#words = words
    this.#base = base
    this.#in = new RingProducer(words, base, inWords, slabs)
    this.#out = new RingConsumer(words, base, outWords, slabs)
    this.#bell = bell
    this.#meter = meter
    this.#onGone = onGone
    this.#view = this.#viewOf(this.#in.contiguous)
  }

  attach(wire: Wire): void {
    this.#state = { kind: 'attached', wire }
    this.#store(lane.LIFE, life.ATTACHED)
    wire.resume()
    this.onNotify()
  }

  /** The dial failed or was aborted: the lane was never used. */
  abandon(): void {
    this.#state = { kind: 'closed' }
    this.#onGone(this.id)
  }

  /** Main has published bytes, made room, granted a region, or changed its intent. */
  onNotify(): void {
    const state = this.#state
    if (state.kind === 'detached' || state.kind === 'closed') return
    if (this.#load(lane.OUT_INTENT) === intent.DESTROY) {
      state.wire.destroy()
      return
    }
    if (this.#readingPaused && this.#in.refreshFree() >= this.#view.length) {
      this.#readingPaused = false
      state.wire.resume()
    }
    this.#writeNext()
  }

  readView(): Buffer {
    return this.#view
  }

  onRead(length: number): boolean {
    const filled = length === this.#view.length
    this.#in.commit(length)
    this.#in.publish()
    this.#meter.count('reads', 1)
    this.#meter.count('bytesRead', length)
    if (
      this.#load(lane.IN_NOTIFY) !== 0 &&
      distance(this.#in.tail, this.#load(lane.IN_NOTIFY_AT)) >= 0 &&
      takeArmed(this.#words, this.#base + lane.IN_NOTIFY)
    ) {
      // What a connection says first is told together with the connection, and with all others of the turn.
      if (this.#isNew) this.#bell.notifySoon(this.id)
      else this.#bell.notify(this.id, length >= BULK_BYTES)
      this.#isNew = false
    }
    return this.#chooseView(filled)
  }

  onHeldBack(isHeld: boolean): void {
    this.#store(lane.IN_HELD, isHeld ? 1 : 0)
    // The word first, then the look: main arms first, then looks at the word.
    if (isHeld && takeArmed(this.#words, this.#base + lane.IN_GUARD)) this.#bell.notify(this.id)
  }

  onEnd(): void {
    this.#store(lane.IN_STATE, inState.ENDED)
    this.#bell.notifySoon(this.id)
  }

  onWritten(): void {
    const ring = this.#out
    const bulk = this.#writing >= BULK_BYTES
    ring.consume(this.#writing)
    this.#meter.count('writes', 1)
    this.#meter.count('bytesWritten', this.#writing)
    this.#writing = 0
    ring.release()
    if (
      this.#load(lane.OUT_SPACE) !== 0 &&
      distance(ring.head, this.#load(lane.OUT_SPACE_AT)) >= 0 &&
      takeArmed(this.#words, this.#base + lane.OUT_SPACE)
    ) {
      this.#bell.notify(this.id, bulk)
    }
    this.#writeNext()
  }

  onFinished(): void {
    if (this.#load(lane.OUT_STATE) !== outState.OPEN) return
    this.#store(lane.OUT_STATE, outState.ENDED)
    // Both directions are over: the close follows at once, and says so too.
    if (this.#load(lane.IN_STATE) !== inState.ENDED) this.#bell.notifySoon(this.id)
  }

  onWriteFailed(): void {
    this.#store(lane.OUT_STATE, outState.FAILED)
    this.#bell.notify(this.id)
  }

  onClose(error: NodeJS.ErrnoException | FramingFault | undefined): void {
    this.#state = { kind: 'closed' }
    if (error instanceof FramingFault) {
      this.#store(lane.FAILURE, -1 - framingFaults.indexOf(error.code))
    } else if (error !== undefined) {
      const call = failureCalls.indexOf((error.syscall ?? 'unknown') as (typeof failureCalls)[number])
      this.#store(lane.FAILURE_CALL, Math.max(call, 0))
      this.#store(lane.FAILURE, Math.abs(error.errno ?? EIO))
    }
    // LIFE last: main gives the memory to someone else once it has seen this.
    this.#store(lane.LIFE, life.CLOSED)
    this.#bell.notifySoon(this.id)
    this.#onGone(this.id)
  }

  destroy(): void {
    if (this.#state.kind === 'attached' || this.#state.kind === 'ending') this.#state.wire.destroy()
  }

  #chooseView(filled: boolean): boolean {
    const ring = this.#in
    const grant = this.#load(lane.IN_GRANT)
    if (grant !== ring.regionId && ring.settled) ring.switchTo(grant)
    const contiguous = ring.contiguous
    const target = Math.min(contiguous, ring.capacity >> 2)
    if (filled || ring.free < target) this.#askForGrowth()
    let free = ring.free
    if (free < target) free = ring.refreshFree()
    if (free < target) {
      // Arm, then look again: HEAD may have moved before main could see that we wait for it.
      this.#store(lane.IN_SPACE_AT, (ring.tail + target - ring.capacity) | 0)
      this.#store(lane.IN_SPACE, 1)
      free = ring.refreshFree()
      if (free < target) {
        this.#view = this.#viewOf(target)
        this.#readingPaused = true
        this.#meter.count('pausedReads', 1)
        return false
      }
      this.#store(lane.IN_SPACE, 0)
    }
    this.#view = this.#viewOf(Math.min(contiguous, free))
    return true
  }

  #askForGrowth(): void {
    if (this.#load(lane.IN_GROW) !== 0) return
    this.#store(lane.IN_GROW, 1)
    this.#bell.notify(this.id)
  }

  #viewOf(length: number): Buffer {
    return new BufferView(this.#in.slab.memory, this.#in.offset, length)
  }

  #writeNext(): void {
    const state = this.#state
    if (this.#writing !== 0 || state.kind !== 'attached') return
    const ring = this.#out
    let readable = ring.refresh()
    if (readable === 0) {
      // Arm, then look again. The intent before the tail: a tail loaded after END is the last one.
      this.#store(lane.OUT_NOTIFY, 1)
      const wish = this.#load(lane.OUT_INTENT)
      readable = ring.refresh()
      if (readable === 0) {
        this.#endIfWished(state.wire, wish)
        return
      }
      this.#store(lane.OUT_NOTIFY, 0)
    }
    const length = Math.min(readable, MAX_WRITE_BYTES)
    const first = Math.min(length, ring.contiguous)
    const memory = ring.slab.memory
    // SENT before the write: bytes beyond it have certainly not reached the kernel, whatever happens to this thread.
    this.#store(lane.OUT_SENT, (ring.head + length) | 0)
    this.#writing = length
    state.wire.write(
      new BufferView(memory, ring.offset, first),
      first < length ? new BufferView(memory, ring.origin, length - first) : undefined,
    )
  }

  #endIfWished(wire: Wire, wish: number): void {
    if (wish === intent.CLOSE || (wish === intent.END && wire.halfClose)) {
      this.#state = { kind: 'ending', wire }
      wire.end()
    } else if (wish === intent.END) {
      // Ending this side would take the other one with it: that everything has left is all that can be said.
      this.onFinished()
    }
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, this.#base + word, value)
  }
}
