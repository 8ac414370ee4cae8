/** A clock that stands still until a test moves it. Nothing runs by itself: neither timers nor turns. */
import type { Clock } from '../../engine/protocol/clock.js'

interface Timer {
  readonly at: number
  readonly fn: () => void
  readonly keepsAlive: boolean
}

export class FakeClock implements Clock {
  /** Delays that timers were asked for, in their order. */
  readonly asked: number[] = []
  readonly #timers = new Set<Timer>()
  #turns: (() => void)[] = []
  #now = 1_000

  now(): number {
    return this.#now
  }

  setTimer(fn: () => void, ms: number, options?: { readonly keepsAlive: boolean }): () => void {
    const timer = { at: this.#now + ms, fn, keepsAlive: options?.keepsAlive ?? true }
    this.asked.push(ms)
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  nextTurn(fn: () => void): void {
    this.#turns.push(fn)
  }

  /** Timers that are armed. */
  get armed(): number {
    return this.#timers.size
  }

  /** Of those, how many the process would wait for. */
  get keepingAlive(): number {
    return [...this.#timers].filter(({ keepsAlive }) => keepsAlive).length
  }

  /** Lets time pass; each timer fires at its very moment. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#earliest()
      if (next === undefined || next.at > end) break
      this.#now = Math.max(this.#now, next.at)
      this.#fire(next)
    }
    this.#now = end
  }

  /** Time passes while nothing runs, as when the process was stopped: what was due fires late, at `advance()`. */
  stall(ms: number): void {
    this.#now += ms
  }

  /** What waits for the next turn runs, after what was resolved before has been told. */
  async turn(): Promise<void> {
    await settled()
    const turns = this.#turns
    this.#turns = []
    for (const fn of turns) fn()
    await settled()
  }

  #earliest(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) if (first === undefined || timer.at < first.at) first = timer
    return first
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer)
    timer.fn()
  }
}

/** Resolves once every promise that is resolved by now has called its waiters. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve()
}
