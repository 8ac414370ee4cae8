/** What a ratio with its interval says: faster, slower, the same, or how many more rounds might tell. */
import { fewestPairs, ratioInterval, type RatioInterval } from '../harness/ratios.js'
import type { Figure } from './figure.js'

export type Change =
  { readonly kind: 'faster' | 'slower' | 'same' } | { readonly kind: 'untold'; readonly moreRounds: number }

/** Of a table whose intervals hold all together with `ALL_CONFIDENCE`. */
export interface Judgement {
  readonly interval: RatioInterval
  readonly change: Change
}

const ALL_CONFIDENCE = 0.95

/** What each of `count` intervals has to have, so that all of them together have 95 % (Bonferroni). */
export function confidenceOfEach(count: number): number {
  return 1 - (1 - ALL_CONFIDENCE) / Math.max(1, count)
}

/** `margin`: 0.05 for 5 %. In the same order, the samples of both are of the same rounds. */
export function judgeChange(
  head: readonly number[],
  base: readonly number[],
  better: Figure['better'],
  { margin, confidence }: { readonly margin: number; readonly confidence: number },
): Judgement {
  const interval = ratioInterval(head, base, confidence)
  const low = Math.log(interval.low)
  const high = Math.log(interval.high)
  const limit = Math.log1p(margin)
  if (low > limit) return { interval, change: { kind: better === 'lower' ? 'slower' : 'faster' } }
  if (high < -limit) return { interval, change: { kind: better === 'lower' ? 'faster' : 'slower' } }
  if (low >= -limit && high <= limit) return { interval, change: { kind: 'same' } }
  const fewest = fewestPairs(confidence) - head.length
  if (fewest > 0) return { interval, change: { kind: 'untold', moreRounds: fewest } }
  // An interval narrows with the root of the rounds, until it lies on one side of the limit.
  const narrow = Math.abs(Math.abs(Math.log(interval.median)) - limit)
  const times = ((high - low) / 2 / narrow) ** 2
  return { interval, change: { kind: 'untold', moreRounds: Math.max(1, Math.ceil(head.length * (times - 1))) } }
}

const MANY_ROUNDS = 1_000

export function inWords(change: Change): string {
  switch (change.kind) {
    case 'faster':
    case 'slower':
      return change.kind
    case 'same':
      return 'same within the margin'
    case 'untold': {
      const rounds = change.moreRounds > MANY_ROUNDS ? `over ${String(MANY_ROUNDS)}` : String(change.moreRounds)
      return `cannot tell: ${rounds} more ${rounds === '1' ? 'round' : 'rounds'}`
    }
  }
}
