/** How long to go on trying: pauses, and limits in attempts and in time, counted since the last stable connection. */
import { TransportError } from '../protocol/errors.js'
import { Backoff, type BackoffSettings } from '../common/backoff.js'

export interface AttemptLimits {
  readonly backoff: BackoffSettings
  readonly maxAttempts: number
  readonly maxElapsedMs: number
}

export class Attempts {
  /** Made since the last stable connection. */
  count = 0
  readonly #endpoint: string
  readonly #limits: AttemptLimits
  readonly #random: () => number
  #since: number
  #pause: Backoff

  constructor(endpoint: string, limits: AttemptLimits, random: () => number, now: number) {
    this.#endpoint = endpoint
    this.#limits = limits
    this.#random = random
    this.#since = now
    this.#pause = Backoff.first(limits.backoff, random)
  }

  /** The connection was stable: counts start anew. */
  reset(now: number): void {
    this.count = 0
    this.#since = now
    this.#pause = Backoff.first(this.#limits.backoff, this.#random)
  }

  /** Milliseconds until the time is over; Infinity: it never is. */
  timeLeft(now: number): number {
    return Math.max(0, this.#since + this.#limits.maxElapsedMs - now)
  }

  /** The next pause in milliseconds, no longer than there is time. */
  nextPause(now: number): number {
    const { delayMs } = this.#pause
    this.#pause = this.#pause.next()
    return Math.min(delayMs, this.timeLeft(now))
  }

  /** Why there is no next attempt; undefined: there is. */
  exhausted(now: number, last: Error | undefined): TransportError | undefined {
    const { maxAttempts, maxElapsedMs } = this.#limits
    const isLate = this.timeLeft(now) === 0
    if (!isLate && this.count < maxAttempts) return undefined
    const limit = isLate ? `${String(maxElapsedMs)} ms (maxElapsedMs)` : `${String(maxAttempts)} attempts (maxAttempts)`
    return new TransportError(
      'ERR_GAVE_UP',
      `no stable connection to ${this.#endpoint} within ${limit}. See the cause for the last failure; raise the limit, or make a new connection.`,
      { cause: last, endpoint: this.#endpoint },
    )
  }
}
