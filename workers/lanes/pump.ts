/**
 * The shard's side of a lane: the kernel reads into the in ring and writes from the out ring, and this class moves the
 * positions. It knows no transport; a wire carries the bytes.
 */
import { BufferView } from '../../engine/internals/buffer-view.js'
import type { BellNotifier } from '../../engine/protocol/bell.js'
import { FramingFault, framingFaults } from '../../engine/protocol/framing.js'
import { takeArmed } from '../../engine/protocol/lane.js'
import { distance, RingConsumer } from '../../engine/protocol/ring.js'
import { failureCalls, inState, intent, lane, life, outState, outWords } from '../../engine/protocol/ring-layout.js'
import { systemErrno } from '../../engine/protocol/system-errno.js'
import type { Role } from '../../engine/protocol/target.js'
import type { Meter } from '../meter.js'
import type { FrameOwner, Wire } from '../wire.js'
import { ReadWindow, type ShardLane } from './read-window.js'

/** The most in one write: so much may or may not have arrived if the shard dies. Main refills the ring meanwhile. */
const MAX_WRITE_BYTES = 262_144

const EIO = systemErrno('EIO')

/** A read or write of this size is part of a stream: the shard will be busy with the next one, not asleep. */
const BULK_BYTES = 16_384

type PumpState =
  | { readonly kind: 'detached' }
  | { readonly kind: 'attached'; readonly wire: Wire }
  /** All bytes have left, and the wire ends. */
  | { readonly kind: 'ending'; readonly wire: Wire }
  | { readonly kind: 'closed' }

export class Pump implements FrameOwner {
  readonly id: number
  readonly role: Role
  readonly #halfClose: boolean
  readonly #words: Int32Array
  readonly #base: number
  readonly #window: ReadWindow
  readonly #out: RingConsumer
  readonly #bell: BellNotifier
  readonly #meter: Meter
  readonly #onGone: (id: number) => void
  #state: PumpState = { kind: 'detached' }
  /** It was accepted, and main has not been notified of its lane. */
  #isNew: boolean
  /** Bytes of the write in flight; 0: none is. */
  #writing = 0

  /** `halfClose`: whether the wire can end one direction alone. `onGone` is the last call, once. */
  constructor(of: ShardLane, role: Role, halfClose: boolean, onGone: (id: number) => void) {
    this.id = of.id
    this.role = role
    this.#halfClose = halfClose
    this.#isNew = role === 'accepted'
    this.#words = of.words
    this.#base = of.base
    this.#window = new ReadWindow(of)
    this.#out = new RingConsumer(of.words, of.base, outWords, of.slabs)
    this.#bell = of.bell
    this.#meter = of.meter
    this.#onGone = onGone
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
    if (this.#window.takeRoom()) state.wire.resume()
    this.#writeNext()
  }

  readView(): Buffer {
    return this.#window.view
  }

  onRead(length: number): boolean {
    const isFilled = length === this.#window.view.length
    const isAwaited = this.#window.publish(length)
    this.#meter.countRead(length)
    if (isAwaited) {
      // The first bytes of a connection share the wake-up for the connection itself, and for all others of the turn.
      if (this.#isNew) this.#bell.notifySoon(this.id)
      else this.#bell.notify(this.id, length >= BULK_BYTES)
      this.#isNew = false
    }
    return this.#window.advance(isFilled)
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
    this.#meter.countWrite(this.#writing)
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
    // If both directions are over, the close follows at once and notifies main too.
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
    // LIFE last: main gives the memory to another lane once it has seen this.
    this.#store(lane.LIFE, life.CLOSED)
    this.#bell.notifySoon(this.id)
    this.#onGone(this.id)
  }

  destroy(): void {
    if (this.#state.kind === 'attached' || this.#state.kind === 'ending') this.#state.wire.destroy()
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
    if (wish === intent.CLOSE || (wish === intent.END && this.#halfClose)) {
      this.#state = { kind: 'ending', wire }
      wire.end()
    } else if (wish === intent.END) {
      // Ending this side would end the other one too: main learns that everything has left, and no more.
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
