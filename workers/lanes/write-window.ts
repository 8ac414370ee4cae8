/**
 * What leaves next: a part of the out ring. Little is offered to the kernel first, which takes most of it at once and
 * without a callback; everything else is a write of the wire.
 */
import { BufferView } from '../../engine/internals/buffer-view.js'
import { takeArmed } from '../../engine/protocol/lane.js'
import { distance, RingConsumer } from '../../engine/protocol/ring.js'
import { intent, lane, outWords } from '../../engine/protocol/ring-layout.js'
import { MAX_TRIED_BYTES, type Wire } from '../wire.js'
import { BULK_BYTES, type ShardLane } from './shard-lane.js'

/** The most in one write: so much may or may not have arrived if the shard dies. Main refills the ring meanwhile. */
const MAX_WRITE_BYTES = 262_144

export class WriteWindow {
  readonly #lane: ShardLane
  readonly #words: Int32Array
  readonly #base: number
  readonly #ring: RingConsumer
  #wish: number = intent.OPEN
  /** Bytes of the write in flight. */
  #writing = 0

  constructor(of: ShardLane) {
    this.#lane = of
    this.#words = of.words
    this.#base = of.base
    this.#ring = new RingConsumer(of.words, of.base, outWords, of.slabs)
  }

  /** How many bytes there are. 0: none, and main notifies of the next. */
  look(): number {
    const ring = this.#ring
    let readable = ring.refresh()
    if (readable > 0) return readable
    // Arm, then look again. The intent before the tail: a tail loaded after END is the last one.
    this.#store(lane.OUT_NOTIFY, 1)
    this.#wish = this.#load(lane.OUT_INTENT)
    readable = ring.refresh()
    if (readable > 0) this.#store(lane.OUT_NOTIFY, 0)
    return readable
  }

  /** What main wants, now that everything has left: after a `look()` that found nothing. */
  get wish(): number {
    return this.#wish
  }

  /** Whether the kernel has taken all up to the end of the ring, and what has wrapped around is next. */
  tryWrite(wire: Wire): boolean {
    const ring = this.#ring
    const { readable } = ring
    if (readable > MAX_TRIED_BYTES) return false
    const length = Math.min(readable, ring.contiguous)
    this.#lane.stamps?.taken()
    this.#storeSent(length)
    const taken = wire.tryWrite(ring.slab.bytes, ring.offset, length)
    if (taken > 0) this.#release(taken)
    return taken === length
  }

  /** One write of all that there is; `onWritten()` follows. */
  write(wire: Wire): void {
    const ring = this.#ring
    const length = Math.min(ring.readable, MAX_WRITE_BYTES)
    const first = Math.min(length, ring.contiguous)
    const memory = ring.slab.memory
    this.#lane.stamps?.taken()
    this.#storeSent(length)
    this.#writing = length
    wire.write(
      new BufferView(memory, ring.offset, first),
      first < length ? new BufferView(memory, ring.origin, length - first) : undefined,
    )
  }

  onWritten(): void {
    this.#release(this.#writing)
  }

  /** Before the write: bytes beyond SENT have certainly not reached the kernel, whatever happens to this thread. */
  #storeSent(length: number): void {
    this.#store(lane.OUT_SENT, (this.#ring.head + length) | 0)
  }

  /** The kernel has these bytes: main gets their room back. */
  #release(length: number): void {
    const ring = this.#ring
    ring.consume(length)
    this.#lane.stamps?.written(ring.readable === 0)
    ring.release()
    this.#lane.meter.countWrite(length)
    if (
      this.#load(lane.OUT_SPACE) !== 0 &&
      distance(ring.head, this.#load(lane.OUT_SPACE_AT)) >= 0 &&
      takeArmed(this.#words, this.#base + lane.OUT_SPACE)
    ) {
      this.#lane.bell.notify(this.#lane.id, length >= BULK_BYTES)
    }
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, this.#base + word, value)
  }
}
