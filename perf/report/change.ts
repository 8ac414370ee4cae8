/** What a ratio with its interval says: faster, slower, the same, or how many more rounds might tell. */
import { logRatios, ratioInterval, type RatioInterval } from '../harness/ratios.js'
import type { Figure } from './figure.js'

export type Change =
  { readonly kind: 'faster' | 'slower' | 'same' } | { readonly kind: 'untold'; readonly moreRounds: number }

export interface Judgement {
  readonly interval: RatioInterval
  readonly change: Change
}

/** Of all intervals of a table together. */
const ALL_CONFIDENCE = 0.95

/** Of more it is only said that they are more. */
const MANY_ROUNDS = 1_000

/** What each of `count` intervals has to have, so that all of them together have 95 % (Bonferroni). */
export function confidenceOfEach(count: number): number {
  return 1 - (1 - ALL_CONFIDENCE) / Math.max(1, count)
}

/** `margin`: 0.05 for 5 %. The samples of both are of the same rounds, in the same order. */
export function judgeChange(
  head: readonly number[],
  base: readonly number[],
  better: Figure['better'],
  { margin, confidence }: { readonly margin: number; readonly confidence: number },
): Judgement {
  const logs = logRatios(head, base)
  const limit = Math.log1p(margin)
  const interval = ratioInterval(logs, confidence)
  switch (placeOf(interval, limit)) {
    case 'above':
      return { interval, change: { kind: better === 'lower' ? 'slower' : 'faster' } }
    case 'below':
      return { interval, change: { kind: better === 'lower' ? 'faster' : 'slower' } }
    case 'within':
      return { interval, change: { kind: 'same' } }
    case 'across':
      return { interval, change: { kind: 'untold', moreRounds: moreRounds(logs, confidence, limit) } }
  }
}

/** Beside the margin around 1. `limit`: the logarithm of its end. */
function placeOf({ low, high }: RatioInterval, limit: number): 'above' | 'below' | 'within' | 'across' {
  if (Math.log(low) > limit) return 'above'
  if (Math.log(high) < -limit) return 'below'
  return Math.log(low) >= -limit && Math.log(high) <= limit ? 'within' : 'across'
}

/** With as many the interval would no longer lie across a limit, if they are like those that there are. */
function moreRounds(logs: readonly number[], confidence: number, limit: number): number {
  for (let count = logs.length + 1; count <= logs.length + MANY_ROUNDS; count = Math.ceil(count * 1.05)) {
    if (placeOf(ratioInterval(logs, confidence, count), limit) !== 'across') return count - logs.length
  }
  return Infinity
}

export function inWords(change: Change): string {
  switch (change.kind) {
    case 'faster':
    case 'slower':
      return change.kind
    case 'same':
      return 'same within the margin'
    case 'untold': {
      if (change.moreRounds > MANY_ROUNDS) return `cannot tell: over ${String(MANY_ROUNDS)} more rounds`
      return `cannot tell: ${String(change.moreRounds)} more ${change.moreRounds === 1 ? 'round' : 'rounds'}`
    }
  }
}
