/**
 * What every scenario of `npm run perf` hands on besides its table: figures in one form, so that `--json`, `report` and
 * `diff` need to know nothing of scenarios.
 */

/** As it is printed behind a value. */
export type Unit = 'ns' | 'us' | 'ms' | 'frames/s' | 'requests/s' | 'connections/s' | 'MB/s' | 'bytes' | '%' | 'count'

/** One quantity of one contender under one set of conditions, over all rounds. */
export interface Figure {
  /** What was measured, in words: `round trip, median`. Figures of one metric can be compared. */
  readonly metric: string
  readonly unit: Unit
  readonly better: 'lower' | 'higher'
  /** Who: `net to net`. */
  readonly contender: string
  /** Whether the others of this metric and these conditions are compared with it. */
  readonly isBaseline: boolean
  /** The conditions: `{ bytes: 64, rate: 1000 }`. A number is what a curve can be drawn over. */
  readonly at: Readonly<Record<string, number | string>>
  /** One for each round, in their order. */
  readonly samples: readonly number[]
  /** Of all rounds together, rising: percentiles from 0 to 100, each with its value. */
  readonly distribution?: readonly Percentile[] | undefined
}

export interface Percentile {
  readonly percentile: number
  readonly value: number
}
