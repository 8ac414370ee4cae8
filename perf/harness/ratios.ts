/** Ratios of pairs, and what is sure about them, without a word on how they are distributed. */
import { median } from './statistics.js'

/** Of all pairs that there could be. */
export interface RatioInterval {
  readonly median: number
  /** The true median lies between these with the confidence that was asked for; 0 and Infinity: too few pairs. */
  readonly low: number
  readonly high: number
}

/** Of each pair the logarithm of its ratio, so that a ratio and its inverse are as far from 1; rising. */
export function logRatios(values: readonly number[], bases: readonly number[]): readonly number[] {
  return values
    .map((value, index) => Math.log(value / (bases[index] ?? NaN)))
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
}

/**
 * Order statistics, as of a sign test: how many of n ratios lie below the true median is binomial, with one half. This
 * is exact for pairs that do not depend on each other (Conover, Practical Nonparametric Statistics, chapter 3). Ties
 * can only widen it. `confidence`: below 1. `count`: as it would about be if there were so many pairs like these.
 */
export function ratioInterval(logs: readonly number[], confidence: number, count: number = logs.length): RatioInterval {
  const spared = sparedRanks(count, confidence)
  if (spared < 0) return { median: Math.exp(median(logs)), low: 0, high: Infinity }
  const rank = ((spared + 0.5) / count) * logs.length - 0.5
  return {
    median: Math.exp(median(logs)),
    low: Math.exp(atRank(logs, rank)),
    high: Math.exp(atRank(logs, logs.length - 1 - rank)),
  }
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

/** Between two neighbours where the rank is no whole number. */
function atRank(sorted: readonly number[], rank: number): number {
  const below = Math.min(sorted.length - 1, Math.max(0, Math.floor(rank)))
  const low = sorted[below] ?? NaN
  const high = sorted[below + 1] ?? low
  return low + (high - low) * Math.min(1, Math.max(0, rank - below))
}
