/**
 * Where the kernel's next read goes: a view of the in ring. It is chosen right after each read, since Node does not ask
 * again on resume. So when room is short the view is cut to exactly `target` bytes, the room is asked for, and reading
 * stops until that much is free.
 *
 * For the same reason the view is outside the ring while main reads: where the ring goes on is known only afterwards.
 * So the first read after that is copied.
 */
import { BufferView } from '../../engine/internals/buffer-view.js'
import { takeArmed } from '../../engine/protocol/lane.js'
import { distance, RingProducer } from '../../engine/protocol/ring.js'
import { inWords, lane } from '../../engine/protocol/ring-layout.js'
import type { ShardLane } from './shard-lane.js'

/** For the first read after one of main: of all lanes of the thread, since nothing stays in it. */
const aside = Buffer.allocUnsafeSlow(1024)

export class ReadWindow {
  readonly #lane: ShardLane
  readonly #words: Int32Array
  readonly #base: number
  readonly #ring: RingProducer
  #view: Buffer
  #isPaused = false
  /** The number by which main has asked for the reading; 0: the shard reads. */
  #lentFor = 0
  #isAside = false

  constructor(of: ShardLane) {
    this.#lane = of
    this.#words = of.words
    this.#base = of.base
    this.#ring = new RingProducer(of.words, of.base, inWords, of.slabs)
    this.#view = this.#viewOf(this.#ring.contiguous)
  }

  get view(): Buffer {
    return this.#view
  }

  /** So many bytes were read into the view. True: main waits for them. */
  publish(length: number): boolean {
    const ring = this.#ring
    if (this.#isAside) ring.write(aside, 0, length)
    else ring.commit(length)
    ring.publish()
    return this.#isAwaited()
  }

  #isAwaited(): boolean {
    const ring = this.#ring
    return (
      this.#load(lane.IN_NOTIFY) !== 0 &&
      distance(ring.tail, this.#load(lane.IN_NOTIFY_AT)) >= 0 &&
      takeArmed(this.#words, this.#base + lane.IN_NOTIFY)
    )
  }

  /** Chooses the view after one into which so much was read. False: reading stops until `takeRoom()`. */
  advance(length: number): boolean {
    const ring = this.#ring
    const grant = this.#load(lane.IN_GRANT)
    if (grant !== ring.regionId && ring.settled) ring.switchTo(grant)
    const contiguous = ring.contiguous
    const target = Math.min(contiguous, ring.capacity >> 2)
    // What little fits before the end of the region is filled now and then, whatever the ring has room for.
    const isFull = !this.#isAside && length === this.#view.length && length >= ring.capacity >> 2
    this.#isAside = false
    if (isFull || ring.free < target) this.#askForGrowth()
    let free = ring.free
    if (free < target) free = ring.refreshFree()
    if (free < target) {
      // Arm, then look again: HEAD may have moved before main could see that we wait for it.
      this.#store(lane.IN_SPACE_AT, (ring.tail + target - ring.capacity) | 0)
      this.#store(lane.IN_SPACE, 1)
      free = ring.refreshFree()
      if (free < target) {
        this.#view = this.#viewOf(target)
        this.#isPaused = true
        this.#lane.meter.countPausedRead()
        return false
      }
      this.#store(lane.IN_SPACE, 0)
    }
    this.#view = this.#viewOf(Math.min(contiguous, free))
    return true
  }

  /** The number by which main asks for the reading. 0: it does not, or a read of so many bytes was not the last. */
  askedFor(length: number): number {
    return length < this.#view.length ? this.#load(lane.IN_READER) : 0
  }

  /** What was read is published, and nothing more is read. Main goes on, unless it has taken back what it asked for. */
  lend(ask: number): void {
    this.#view = aside
    this.#isAside = true
    this.#lentFor = ask
    // The last of it: main may be the producer from here on.
    this.#store(lane.IN_LENT, ask)
  }

  get isLent(): boolean {
    return this.#lentFor !== 0
  }

  /** Whether main has given the reading back; then nobody else is the producer any more. */
  get isReturned(): boolean {
    return this.#load(lane.IN_READER) !== this.#lentFor
  }

  /** Goes on behind what main has read. False: there is no room, and reading stops until `takeRoom()`. */
  regain(): boolean {
    const ring = this.#ring
    ring.rejoin()
    this.#lentFor = 0
    this.#store(lane.IN_LENT, 0)
    if (ring.hasRoom(aside.length)) return true
    // Arm, then look again, as advance() does.
    this.#store(lane.IN_SPACE_AT, (ring.tail + aside.length - ring.capacity) | 0)
    this.#store(lane.IN_SPACE, 1)
    if (ring.refreshFree() >= aside.length) {
      this.#store(lane.IN_SPACE, 0)
      return true
    }
    this.#isPaused = true
    this.#lane.meter.countPausedRead()
    return false
  }

  /** True, once: reading had stopped, and there is room for the view now. */
  takeRoom(): boolean {
    if (!this.#isPaused || !this.#ring.hasRoom(this.#view.length)) return false
    this.#isPaused = false
    return true
  }

  #askForGrowth(): void {
    if (this.#load(lane.IN_GROW) !== 0) return
    this.#store(lane.IN_GROW, 1)
    this.#lane.bell.notify(this.#lane.id)
  }

  #viewOf(length: number): Buffer {
    return new BufferView(this.#ring.slab.memory, this.#ring.offset, length)
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, this.#base + word, value)
  }
}
