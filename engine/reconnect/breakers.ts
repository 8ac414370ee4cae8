/** The circuit breakers of an engine: one for all reconnecting connections to an endpoint. */
import { Breaker, type BreakerSettings, type BreakerStats } from './breaker.js'
import type { Clock } from '../protocol/clock.js'

export class Breakers {
  readonly #engine: string
  readonly #clock: Clock
  /** By endpoint. `users`: reconnecting connections that use it. */
  readonly #shared = new Map<string, { readonly breaker: Breaker; users: number }>()

  constructor(engine: string, clock: Clock) {
    this.#engine = engine
    this.#clock = clock
  }

  get stats(): readonly BreakerStats[] {
    return [...this.#shared.values()].map(({ breaker }) => breaker.stats)
  }

  /** The endpoint's, with its first user's settings; kept while used or worth remembering. `end()` is called once. */
  use(endpoint: string, settings: BreakerSettings): { readonly breaker: Breaker; readonly end: () => void } {
    for (const [other, { breaker, users }] of this.#shared) {
      if (users === 0 && breaker.isForgettable) this.#shared.delete(other)
    }
    const known = this.#shared.get(endpoint)
    const shared = known ?? {
      breaker: new Breaker({ engine: this.#engine, endpoint }, settings, this.#clock),
      users: 0,
    }
    shared.users++
    this.#shared.set(endpoint, shared)
    return { breaker: shared.breaker, end: () => shared.users-- }
  }
}
