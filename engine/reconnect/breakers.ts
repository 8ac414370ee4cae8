/** The circuit breakers of an engine: one for all reconnecting connections to an endpoint. */
import { Breaker, type BreakerSettings, type BreakerStats } from './breaker.js'
import type { Clock } from '../protocol/clock.js'

interface SharedBreaker {
  readonly breaker: Breaker
  /** Reconnecting connections that use it. */
  users: number
}

export interface BreakerUse {
  readonly breaker: Breaker
  /** Called once, when the connection is over. */
  readonly end: () => void
}

export class Breakers {
  readonly #clock: Clock
  readonly #shared = new Map<string, SharedBreaker>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get stats(): readonly BreakerStats[] {
    return [...this.#shared.values()].map(({ breaker }) => breaker.stats)
  }

  /** The endpoint's, with the settings of its first user; kept while it has any, or something to remember. */
  use(endpoint: string, settings: BreakerSettings): BreakerUse {
    for (const [other, { breaker, users }] of this.#shared) {
      if (users === 0 && breaker.isForgettable) this.#shared.delete(other)
    }
    const known = this.#shared.get(endpoint)
    const shared = known ?? { breaker: new Breaker(endpoint, settings, this.#clock), users: 0 }
    shared.users++
    this.#shared.set(endpoint, shared)
    return { breaker: shared.breaker, end: () => shared.users-- }
  }
}
