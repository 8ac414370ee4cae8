/** At most `max` restarts in any `windowMs` (as Erlang/OTP supervisors do), in a row after twice the pause each. */
export interface RestartOptions {
  readonly max: number
  readonly windowMs: number
  readonly initialDelayMs: number
  readonly maxDelayMs: number
}

export class RestartBudget {
  readonly #options: RestartOptions
  readonly #now: () => number
  /** When the restarts of the current window were asked for. */
  #recent: number[] = []

  constructor(options: RestartOptions, now: () => number) {
    this.#options = options
    this.#now = now
  }

  /** Milliseconds until the next restart; undefined: the budget of this window is spent. */
  next(): number | undefined {
    const { max, windowMs, initialDelayMs, maxDelayMs } = this.#options
    const now = this.#now()
    this.#recent = this.#recent.filter((at) => now - at < windowMs)
    if (this.#recent.length >= max) return undefined
    const delay = Math.min(maxDelayMs, initialDelayMs * 2 ** this.#recent.length)
    this.#recent.push(now)
    return delay
  }
}
