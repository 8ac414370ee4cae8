/**
 * The doorbell: which lanes are notified, and whether the other thread must be woken for them.
 *
 * One bell a direction; the notifier is one thread, the listener the other. Setting a bit is idempotent, so the bell
 * cannot overflow. The bits form a tree of three levels: one load says whether any is set, and a few steps find each,
 * however many lanes there are.
 *
 * Two races could lose a wake-up; the order of sequentially consistent operations closes both:
 *
 *  1. Notifying against parking (Dekker 1965): the notifier sets bits, then reads PARKED; the listener stores PARKED,
 *     then reads the bits. In any interleaving at least one of them sees the other's store.
 * 2. A level against the one above it: the notifier sets the lower bit, then the upper one if the lower word was empty;
 *     the listener clears the upper bit, then takes the lower word. A lower word that was not empty when the notifier
 *     added to it will still be taken: the upper bit of the earlier notification is either still set, or was cleared by
 *     a listener that has yet to take the word.
 *
 * test/engine/protocol/torture.test.ts runs both without any fallback timer; its control breaks the second step of
 * race 1 and shows that the run then stops.
 */
import { bell } from './ring-layout.js'

export function createBellMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(bell.WORDS * Int32Array.BYTES_PER_ELEMENT)
}

/** The most turns for which a wake-up that can wait is put off. */
const MOST_TURNS = 8

export class BellNotifier {
  readonly #words: Int32Array
  readonly #wake: (busy: boolean) => void
  /** Turns for which the wake-up may still be put off; 0: none is. */
  #turnsLeft = 0
  /** There were more such notifications since this turn began. */
  #hasMore = false

  /**
   * `wake` is called when the listener is parked: it must make the other thread's event loop turn. `busy`: the notifier
   * has more to do right now, and is not about to sleep.
   */
  constructor(memory: SharedArrayBuffer, wake: (busy: boolean) => void) {
    this.#words = new Int32Array(memory)
    this.#wake = wake
  }

  /** Whether the listener would have to be woken. */
  get isListenerParked(): boolean {
    return Atomics.load(this.#words, bell.PARKED) === 1
  }

  notify(laneId: number, busy = false): void {
    this.#mark(laneId)
    this.#wakeIfParked(busy)
  }

  /**
   * For what can wait a moment, such as a connection that comes or goes: a parked listener is woken after a turn
   * without more of these, once for all. In a burst the system calls that wake would cost more than all the rest.
   */
  notifySoon(laneId: number): void {
    this.#mark(laneId)
    this.#hasMore = true
    if (this.#turnsLeft > 0) return
    this.#turnsLeft = MOST_TURNS
    setImmediate(this.#wakeSoon)
  }

  readonly #wakeSoon = (): void => {
    this.#turnsLeft--
    if (this.#hasMore && this.#turnsLeft > 0) {
      this.#hasMore = false
      setImmediate(this.#wakeSoon)
      return
    }
    this.#turnsLeft = 0
    this.#wakeIfParked(false)
  }

  #mark(laneId: number): void {
    const words = this.#words
    const group = laneId >>> 5
    const section = group >>> 5
    if (
      Atomics.or(words, bell.LEAVES + group, 1 << (laneId & 31)) === 0 &&
      Atomics.or(words, bell.SUMMARY + section, 1 << (group & 31)) === 0
    ) {
      Atomics.or(words, bell.TOP, 1 << section)
    }
  }

  #wakeIfParked(busy: boolean): void {
    const words = this.#words
    // Taking PARKED makes the wake-up this call's alone: a burst costs one.
    if (Atomics.load(words, bell.PARKED) === 1 && Atomics.exchange(words, bell.PARKED, 0) === 1) this.#wake(busy)
  }
}

export class BellListener {
  readonly #words: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  get hasNotifications(): boolean {
    return Atomics.load(this.#words, bell.TOP) !== 0
  }

  /**
   * Hands each notified lane to `visit`, once. An error of `visit` is thrown when all have been visited: bits left
   * under a cleared summary would silence their lanes for good.
   */
  take(visit: (laneId: number) => void): void {
    if (!this.hasNotifications) return
    const words = this.#words
    let failure: { readonly error: unknown } | undefined
    let sections = Atomics.exchange(words, bell.TOP, 0)
    while (sections !== 0) {
      const section = lowestBit(sections)
      sections &= sections - 1
      let groups = Atomics.exchange(words, bell.SUMMARY + section, 0)
      while (groups !== 0) {
        const group = (section << 5) | lowestBit(groups)
        groups &= groups - 1
        let lanes = Atomics.exchange(words, bell.LEAVES + group, 0)
        while (lanes !== 0) {
          const laneId = (group << 5) | lowestBit(lanes)
          lanes &= lanes - 1
          try {
            visit(laneId)
          } catch (error) {
            failure ??= { error }
          }
        }
      }
    }
    if (failure !== undefined) throw failure.error
  }

  /** Asks to be woken from now on. False: there are notifications already, and the bell stays unparked. */
  park(): boolean {
    Atomics.store(this.#words, bell.PARKED, 1)
    if (!this.hasNotifications) return true
    // If the notifier has taken PARKED in between, its wake-up comes too and finds nothing: harmless.
    Atomics.store(this.#words, bell.PARKED, 0)
    return false
  }

  /** The listener looks by itself from now on (it spins) and needs no wake-up. */
  unpark(): void {
    Atomics.store(this.#words, bell.PARKED, 0)
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word)
}
