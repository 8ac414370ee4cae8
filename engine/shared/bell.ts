/**
 * The doorbell: which lanes have news, and whether the other thread must be woken for it.
 *
 * One bell a direction; the ringer is one thread, the listener the other. Setting a bit is idempotent, so the bell
 * cannot overflow, and taking the news costs one step for each 1,024 lanes plus one for each lane that has some.
 *
 * Lost wake-ups. Two races could lose one; both are closed by the order of sequentially consistent operations:
 *
 *  1. News against parking (Dekker 1965): the ringer stores the news, then reads PARKED; the listener stores
 *     PARKED, then reads the news. In any interleaving at least one of them sees the other's store.
 *  2. Leaf against summary: the ringer sets the leaf bit, then the summary bit if the leaf word was empty; the
 *     listener clears the summary bit, then takes the leaf word. A leaf word that was not empty when the ringer
 *     added to it will still be taken: the summary bit that it set for the earlier bit is either still there, or
 *     has been cleared by a listener that has yet to take the word.
 *
 * test/engine/shared/torture.test.ts runs both without any fallback timer; its control breaks the second step of
 * race 1 and shows that the run then stops.
 */
import { bell, MAX_LANES } from './ring-layout.js'

export function createBellMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(bell.WORDS * Int32Array.BYTES_PER_ELEMENT)
}

const summaryWords = MAX_LANES / 1024

export class BellRinger {
  readonly #words: Int32Array
  readonly #wake: () => void

  /** `wake` is called when the listener is parked: it must make the other thread's event loop turn. */
  constructor(memory: SharedArrayBuffer, wake: () => void) {
    this.#words = new Int32Array(memory)
    this.#wake = wake
  }

  ring(laneId: number): void {
    const words = this.#words
    const group = laneId >>> 5
    if (Atomics.or(words, bell.LEAVES + group, 1 << (laneId & 31)) === 0) {
      Atomics.or(words, bell.SUMMARY + (group >>> 5), 1 << (group & 31))
    }
    // Taking PARKED makes the wake-up ours alone: a burst of news costs one wake.
    if (Atomics.load(words, bell.PARKED) === 1 && Atomics.exchange(words, bell.PARKED, 0) === 1) this.#wake()
  }
}

export class BellListener {
  readonly #words: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  get hasNews(): boolean {
    const words = this.#words
    for (let i = bell.SUMMARY; i < bell.SUMMARY + summaryWords; i++)
      if (Atomics.load(words, i) !== 0) return true
    return false
  }

  /**
   * Hands each lane with news to `visit`, once. An error of `visit` is thrown when all have been visited: bits that
   * were left standing under a cleared summary would silence their lanes for good.
   */
  take(visit: (laneId: number) => void): void {
    const words = this.#words
    let failure: { readonly error: unknown } | undefined
    for (let top = 0; top < summaryWords; top++) {
      if (Atomics.load(words, bell.SUMMARY + top) === 0) continue
      let groups = Atomics.exchange(words, bell.SUMMARY + top, 0)
      while (groups !== 0) {
        const bit = 31 - Math.clz32(groups)
        groups &= ~(1 << bit)
        const group = (top << 5) | bit
        let lanes = Atomics.exchange(words, bell.LEAVES + group, 0)
        while (lanes !== 0) {
          const low = 31 - Math.clz32(lanes & -lanes)
          lanes &= lanes - 1
          try {
            visit((group << 5) | low)
          } catch (error) {
            failure ??= { error }
          }
        }
      }
    }
    if (failure !== undefined) throw failure.error
  }

  /** Announces that a wake-up is needed from now on. False: there is news already, and the bell stays unparked. */
  park(): boolean {
    Atomics.store(this.#words, bell.PARKED, 1)
    if (!this.hasNews) return true
    // If the ringer has taken PARKED in between, its wake-up comes as well and finds nothing: harmless.
    Atomics.store(this.#words, bell.PARKED, 0)
    return false
  }

  /** The listener looks by itself from now on (it is spinning); no wake-up is needed. */
  unpark(): void {
    Atomics.store(this.#words, bell.PARKED, 0)
  }
}
