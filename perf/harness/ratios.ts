/** Ratios of pairs, and what is sure about them, without a word on how they are distributed. */
import { median } from './statistics.js'

/** Of all pairs that there could be. */
export interface RatioInterval {
  readonly median: number
  /** The true median lies between these with the confidence that was asked for; 0 and Infinity: too few pairs. */
  readonly low: number
  readonly high: number
}

/**
 * Order statistics of the paired ratios, as of a sign test: how many of n lie below the true median is binomial, with
 * one half. This is exact for pairs that do not depend on each other (Conover, Practical Nonparametric Statistics,
 * chapter 3). Ties can only widen it. `confidence`: below 1.
 */
export function ratioInterval(values: readonly number[], bases: readonly number[], confidence: number): RatioInterval {
  const logs = values
    .map((value, index) => Math.log(value / (bases[index] ?? NaN)))
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
  const spared = sparedRanks(logs.length, confidence)
  const low = logs[spared] ?? NaN
  const high = logs[logs.length - 1 - spared] ?? NaN
  const isTold = spared >= 0
  return { median: Math.exp(median(logs)), low: isTold ? Math.exp(low) : 0, high: isTold ? Math.exp(high) : Infinity }
}

/** How many of the least and of the greatest may be left out; -1: even all of them are too few. */
function sparedRanks(count: number, confidence: number): number {
  const mostMissed = (1 - confidence) / 2
  let spared = -1
  // As a logarithm: of a thousand rounds it is smaller than any number.
  let term = -count * Math.LN2
  // The probability that `rank` or fewer lie below the median.
  let missed = Math.exp(term)
  for (let rank = 0; missed <= mostMissed && rank < count / 2; rank++) {
    spared = rank
    term += Math.log((count - rank) / (rank + 1))
    missed += Math.exp(term)
  }
  return spared
}

/** The fewest pairs that tell anything. */
export function fewestPairs(confidence: number): number {
  return Math.ceil(1 - Math.log2(1 - confidence))
}
