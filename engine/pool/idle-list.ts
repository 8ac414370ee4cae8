/**
 * The idle connections of a pool. The one that came back last is lent first, so that those that are not needed grow
 * old. One timer serves them all, and is touched only when something falls due sooner.
 */
import type { Clock } from '../protocol/clock.js'

interface Idle {
  readonly expiresAt: number
  idleSince: number
}

export interface IdleListEvents<Item> {
  /** Whether the pool can do with one less: only then one is taken off for having been idle. */
  mayShrink(): boolean
  /** It was taken off because it is too old, or was idle too long. */
  onExpired(item: Item): void
}

export class IdleList<Item extends Idle> {
  readonly #clock: Clock
  readonly #idleTimeoutMs: number
  readonly #events: IdleListEvents<Item>
  /** Longest idle first. */
  #items: Item[] = []
  #sweepAt = Infinity
  #cancelSweep: (() => void) | undefined

  constructor(clock: Clock, idleTimeoutMs: number, events: IdleListEvents<Item>) {
    this.#clock = clock
    this.#idleTimeoutMs = idleTimeoutMs
    this.#events = events
  }

  put(item: Item): void {
    const now = this.#clock.now()
    item.idleSince = now
    this.#items.push(item)
    this.#sweepBy(Math.min(now + this.#idleTimeoutMs, item.expiresAt), now)
  }

  /** The one that came last. */
  take(): Item | undefined {
    return this.#items.pop()
  }

  takeOldest(): Item | undefined {
    return this.#items.shift()
  }

  remove(item: Item): void {
    const at = this.#items.indexOf(item)
    if (at !== -1) this.#items.splice(at, 1)
  }

  /** After a change by which they fall due sooner. */
  reschedule(): void {
    const now = this.#clock.now()
    const shrinks = this.#events.mayShrink()
    let due = Infinity
    for (const { expiresAt, idleSince } of this.#items) {
      due = Math.min(due, expiresAt, shrinks ? idleSince + this.#idleTimeoutMs : Infinity)
    }
    this.#sweepBy(due, now)
  }

  /** Takes everything off and ends the timer. */
  clear(): Item[] {
    const items = this.#items
    this.#items = []
    this.#cancelSweep?.()
    this.#sweepAt = Infinity
    return items
  }

  #sweepBy(due: number, now: number): void {
    if (due >= this.#sweepAt) return
    this.#cancelSweep?.()
    this.#sweepAt = due
    this.#cancelSweep = this.#clock.setTimer(this.#sweep, Math.max(0, Math.ceil(due - now)), {
      keepsAlive: false,
    })
  }

  readonly #sweep = (): void => {
    this.#sweepAt = Infinity
    this.#cancelSweep = undefined
    const now = this.#clock.now()
    const expired: Item[] = []
    this.#items = this.#items.filter((item) => {
      const isOld = item.expiresAt <= now
      if (isOld) expired.push(item)
      return !isOld
    })
    for (const item of expired) this.#events.onExpired(item)
    for (;;) {
      const [oldest] = this.#items
      if (oldest === undefined || oldest.idleSince + this.#idleTimeoutMs > now || !this.#events.mayShrink()) break
      this.#items.shift()
      this.#events.onExpired(oldest)
    }
    this.reschedule()
  }
}
