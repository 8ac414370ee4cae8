/**
 * Whether a connection makes round trips while few others are busy, so that main had better read its replies. It takes
 * some round trips until it is believed, and twice as many after each time that was over soon.
 */
import type { Role } from '../protocol/target.js'
import type { InlineBudget } from './inline-budget.js'

/** Round trips until it is believed, at first and at most. */
const FEWEST = 4
const MOST = 1024
/** Reads of a time that was not over soon. */
const LONG_TIME = 256
/** Reads without a write in between: nobody waits for main there. */
const MOST_IN_A_ROW = 16
/**
 * Flushes of all connections from one round trip to the next: with more, waking the shard for all is cheaper. A pool
 * uses some of its connections seldom, so that of those that main has dialled there may be far more.
 */
const MOST_FLUSHES: Readonly<Record<Role, number>> = { dialled: 64, accepted: 4 }
/** Round trips in a row with more than that. */
const MOST_CROWDED = 8

export class RoundTrips {
  readonly #budget: Pick<InlineBudget, 'flushes'>
  readonly #mostFlushes: number
  #patience = FEWEST
  #left = FEWEST
  #reads = 0
  #readsInARow = 0
  #crowded = 0
  #flushes = 0

  constructor(budget: Pick<InlineBudget, 'flushes'>, role: Role) {
    this.#budget = budget
    this.#mostFlushes = MOST_FLUSHES[role]
  }

  /** Main has written all of a turn at once, and the shard reads. True: main had better do that. */
  areSteady(): boolean {
    this.look()
    return --this.#left <= 0
  }

  /** The same, but the shard has had to write: no round trip of main, and its flushes are not those of the next. */
  look(): void {
    if (this.#isCrowded()) this.#left = this.#patience
  }

  /** Main reads from here on. */
  begin(): void {
    this.#reads = 0
    this.#readsInARow = 0
    this.#crowded = 0
  }

  /** Main reads, and has written all of a turn at once. */
  onWritten(): void {
    this.#readsInARow = 0
  }

  /** Main has read something. False: the shard had better read on. */
  goOn(): boolean {
    this.#reads++
    this.#readsInARow++
    this.#crowded = this.#isCrowded() ? this.#crowded + 1 : 0
    return this.#readsInARow <= MOST_IN_A_ROW && this.#crowded <= MOST_CROWDED
  }

  /** The shard reads from here on. */
  end(): void {
    this.#patience = this.#reads >= LONG_TIME ? FEWEST : Math.min(2 * this.#patience, MOST)
    this.#reads = 0
    this.pause()
  }

  /** Main cannot read now. */
  pause(): void {
    this.#left = this.#patience
  }

  /** Whether many connections were busy since it was last asked. */
  #isCrowded(): boolean {
    const { flushes } = this.#budget
    const isCrowded = flushes - this.#flushes > this.#mostFlushes
    this.#flushes = flushes
    return isCrowded
  }
}
