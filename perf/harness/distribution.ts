/** How long each of many things took, to three significant digits. */
import type { Percentile } from '../report/figure.js'
import { Tallies } from './tallies.js'

/** Whole nanoseconds are counted. */
const NANOS_A_MICRO = 1_000

/** What a curve is drawn through: each step halves the share that took longer. */
const SHARES_LEFT = 14

export class Distribution {
  readonly #tallies: Tallies

  private constructor(tallies: Tallies) {
    this.#tallies = tallies
  }

  static ofMicros(values: Iterable<number>): Distribution {
    const tallies = new Tallies()
    for (const micros of values) tallies.count(Math.max(1, Math.round(micros * NANOS_A_MICRO)))
    return new Distribution(tallies)
  }

  /** What `encoded` of another one was, perhaps in another process. */
  static decoded(text: string): Distribution {
    return new Distribution(Tallies.decoded(text))
  }

  /** All of these as one. */
  static sumOf(distributions: Iterable<Distribution>): Distribution {
    const sum = new Tallies()
    for (const one of distributions) sum.add(one.#tallies)
    return new Distribution(sum)
  }

  get encoded(): string {
    return this.#tallies.encoded
  }

  get count(): number {
    return this.#tallies.total
  }

  get meanMicros(): number {
    return this.#tallies.mean / NANOS_A_MICRO
  }

  /** `percentile`: 0 to 100. NaN where there is nothing. */
  micros(percentile: number): number {
    return (this.#tallies.valuesAt([percentile])[0] ?? NaN) / NANOS_A_MICRO
  }

  /** In microseconds. Up to the one of which a single thing took longer. */
  get percentiles(): Percentile[] {
    if (this.count === 0) return []
    const wanted = [0, 10, 25]
    for (let step = 1; step <= SHARES_LEFT && 2 ** step <= this.count; step++) wanted.push(100 - 100 / 2 ** step)
    wanted.push(100)
    const values = this.#tallies.valuesAt(wanted)
    return wanted.map((percentile, index) => ({ percentile, value: (values[index] ?? NaN) / NANOS_A_MICRO }))
  }
}
