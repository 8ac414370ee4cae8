/**
 * When a pool may try to make connections: as it likes while that works, one at a time and with pauses while it does
 * not.
 */
import type { Clock } from '../protocol/clock.js'
import { Backoff, type BackoffSettings } from '../common/backoff.js'

type State =
  | { readonly kind: 'free' }
  | { readonly kind: 'pausing'; readonly backoff: Backoff; readonly cancel: () => void }
  /** The pause is over: one attempt at a time, until a connection has proven itself. */
  | { readonly kind: 'probing'; readonly backoff: Backoff }

const FREE: State = { kind: 'free' }

export class DialThrottle {
  /** Failures in a row; those of attempts that were under way when a pause began count as one with what began it. */
  failures = 0
  readonly #settings: BackoffSettings
  readonly #random: () => number
  readonly #clock: Clock
  readonly #onPauseOver: () => void
  #state: State = FREE

  constructor(settings: BackoffSettings, random: () => number, clock: Clock, onPauseOver: () => void) {
    this.#settings = settings
    this.#random = random
    this.#clock = clock
    this.#onPauseOver = onPauseOver
  }

  /** How many attempts may be under way at once. */
  get limit(): number {
    switch (this.#state.kind) {
      case 'free':
        return Infinity
      case 'pausing':
        return 0
      case 'probing':
        return 1
    }
  }

  /**
   * An attempt failed. Returns how long the pause is that follows, in milliseconds; undefined: one has begun already.
   */
  failed(): number | undefined {
    const state = this.#state
    if (state.kind === 'pausing') return undefined
    this.failures++
    const backoff = state.kind === 'free' ? Backoff.first(this.#settings, this.#random) : state.backoff.next()
    // Whoever waits for a connection has a timer of their own that keeps the process alive.
    const cancel = this.#clock.setTimer(
      () => {
        this.#state = { kind: 'probing', backoff }
        this.#onPauseOver()
      },
      backoff.delayMs,
      { keepsAlive: false },
    )
    this.#state = { kind: 'pausing', backoff, cancel }
    return backoff.delayMs
  }

  /** A connection was good enough to be lent. */
  succeeded(): void {
    if (this.#state === FREE) return
    this.stop()
    this.#state = FREE
    this.failures = 0
  }

  /** Begins no more: cancels the pause. */
  stop(): void {
    if (this.#state.kind === 'pausing') this.#state.cancel()
  }
}
