/** Has the reading of connections go from shards to main and back as chance will have it. */
import { RoundTrips } from '../../engine/connection/round-trips.js'
import type { Random } from './random.js'

export class RestlessReading {
  readonly #original = Object.getOwnPropertyDescriptors(RoundTrips.prototype)

  /** Of all engines of the process, until it is stopped. */
  constructor(random: Random) {
    Object.assign(RoundTrips.prototype, { areSteady: () => random.oneIn(2), goOn: () => !random.oneIn(3) })
  }

  stop(): void {
    Object.defineProperties(RoundTrips.prototype, this.#original)
  }
}
