/** A clock with timers that the test fires. All other timers go to the system's clock. */
import { systemClock, type Clock } from '../../engine/protocol/clock.js'

interface ManualTimer {
  readonly fn: () => void
  readonly ms: number
  readonly dueAt: number
}

export class ManualClock implements Clock {
  readonly #isManual: (ms: number) => boolean
  readonly #timers = new Set<ManualTimer>()
  #ahead = 0

  /** `isManual`: which timers stand still until `advance()`, by their milliseconds. */
  constructor(isManual: (ms: number) => boolean) {
    this.#isManual = isManual
  }

  now(): number {
    return this.#ahead
  }

  setTimer(fn: () => void, ms: number, options?: { readonly keepsAlive: boolean }): () => void {
    if (!this.#isManual(ms)) return systemClock.setTimer(fn, ms, options)
    const timer = { fn, ms, dueAt: this.#ahead + ms }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  nextTurn(fn: () => void): void {
    systemClock.nextTurn(fn)
  }

  /** Manual timers that are armed, by how long they were asked to wait. */
  get armed(): readonly number[] {
    return [...this.#timers].map(({ ms }) => ms)
  }

  /** Lets time pass, and fires what falls due in it, in order. */
  advance(ms: number): void {
    const end = this.#ahead + ms
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.dueAt - b.dueAt)
      if (next === undefined || next.dueAt > end) break
      this.#timers.delete(next)
      this.#ahead = next.dueAt
      next.fn()
    }
    this.#ahead = end
  }
}
