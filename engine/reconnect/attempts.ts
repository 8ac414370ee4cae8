/** How long to go on trying: pauses, and limits in attempts and in time. Made anew after each stable connection. */
import { TransportError } from '../protocol/errors.js'
import { Backoff } from '../common/backoff.js'
import type { ReconnectingSettings } from './reconnecting-settings.js'

type AttemptSettings = Pick<
  ReconnectingSettings<never>,
  'endpoint' | 'backoff' | 'maxAttempts' | 'maxElapsedMs' | 'clock' | 'random'
>

export class Attempts {
  count = 0
  readonly #settings: AttemptSettings
  readonly #since: number
  #pause: Backoff

  constructor(settings: AttemptSettings) {
    this.#settings = settings
    this.#since = settings.clock.now()
    this.#pause = Backoff.first(settings.backoff, settings.random)
  }

  /** Milliseconds until the time is over; Infinity: it never is. */
  get timeLeft(): number {
    const { maxElapsedMs, clock } = this.#settings
    return Math.max(0, this.#since + maxElapsedMs - clock.now())
  }

  /** The next pause in milliseconds, no longer than there is time. */
  nextPause(): number {
    const { delayMs } = this.#pause
    this.#pause = this.#pause.next()
    return Math.min(delayMs, this.timeLeft)
  }

  /** Why there is no next attempt; undefined: there is. */
  exhausted(cause: Error | undefined): TransportError | undefined {
    const { endpoint, maxAttempts, maxElapsedMs } = this.#settings
    const isLate = this.timeLeft === 0
    if (!isLate && this.count < maxAttempts) return undefined
    const limit = isLate ? `${String(maxElapsedMs)} ms (maxElapsedMs)` : `${String(maxAttempts)} attempts (maxAttempts)`
    const message = `no stable connection to ${endpoint} within ${limit}. See the cause for the last failure; raise the limit, or make a new connection.`
    return new TransportError('ERR_GAVE_UP', message, { cause, endpoint })
  }
}
