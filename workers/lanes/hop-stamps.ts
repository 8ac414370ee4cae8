/** When the shard has taken, written and read, in the words of a lane: for main, which traces hops. */
import type { HopClock } from '../../engine/protocol/hop-clock.js'
import { lane } from '../../engine/protocol/ring-layout.js'

export class HopStamps {
  readonly #words: Int32Array
  readonly #base: number
  readonly #now: HopClock
  /** All that was there has left: what is next begins a hop. */
  #isIdle = true

  constructor(words: Int32Array, base: number, now: HopClock) {
    this.#words = words
    this.#base = base
    this.#now = now
  }

  /** A write is about to begin. */
  taken(): void {
    if (!this.#isIdle) return
    this.#isIdle = false
    this.#stamp(lane.OUT_TAKEN_AT)
  }

  /** `isAll`: nothing is left that was seen. */
  written(isAll: boolean): void {
    this.#isIdle = isAll
    this.#stamp(lane.OUT_WRITTEN_AT)
  }

  /** Bytes have come, and are about to be published. */
  read(): void {
    this.#stamp(lane.IN_READ_AT)
  }

  #stamp(word: number): void {
    Atomics.store(this.#words, this.#base + word, this.#now() | 0)
  }
}
