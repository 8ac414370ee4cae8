/** How long each of many things took, as a histogram of three significant digits. */
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js'
import type { Percentile } from '../report/figure.js'

/** It keeps whole nanoseconds. */
const NANOS_A_MICRO = 1_000

/** What a curve is drawn through: each step halves the share that took longer. */
const SHARES_LEFT = 14

export class Distribution {
  readonly #histogram: Histogram

  private constructor(histogram: Histogram) {
    this.#histogram = histogram
  }

  static ofMicros(values: Iterable<number>): Distribution {
    const histogram = build({ bitBucketSize: 64, autoResize: true, numberOfSignificantValueDigits: 3 })
    for (const micros of values) histogram.recordValue(Math.max(1, Math.round(micros * NANOS_A_MICRO)))
    return new Distribution(histogram)
  }

  /** What `encoded` of another one was, perhaps in another process. */
  static decoded(text: string): Distribution {
    return new Distribution(decodeFromCompressedBase64(text, 64))
  }

  /** All of these as one. */
  static sumOf(distributions: Iterable<Distribution>): Distribution {
    const sum = Distribution.ofMicros([])
    for (const one of distributions) sum.#histogram.add(one.#histogram)
    return sum
  }

  get encoded(): string {
    return encodeIntoCompressedBase64(this.#histogram)
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  get meanMicros(): number {
    return this.count === 0 ? NaN : this.#histogram.mean / NANOS_A_MICRO
  }

  /** `percentile`: 0 to 100. NaN where there is nothing. */
  micros(percentile: number): number {
    return this.count === 0 ? NaN : this.#histogram.getValueAtPercentile(percentile) / NANOS_A_MICRO
  }

  /** In microseconds. Up to the one of which a single thing took longer. */
  get percentiles(): Percentile[] {
    const points: Percentile[] = []
    const add = (percentile: number): void => void points.push({ percentile, value: this.micros(percentile) })
    if (this.count === 0) return points
    for (const low of [0, 10, 25]) add(low)
    for (let step = 1; step <= SHARES_LEFT && 2 ** step <= this.count; step++) add(100 - 100 / 2 ** step)
    add(100)
    return points
  }
}
