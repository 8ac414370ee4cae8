/** A figure beside the baseline of the same metric and conditions. */
import type { Figure } from '../figure.js'
import { spreadOf } from '../spread.js'

/** `even`: hardly a difference; `unclear`: there is one, on which the rounds do not agree. */
export type Verdict = 'better' | 'worse' | 'even' | 'unclear'

export interface Comparison {
  /** The contender that is the baseline. */
  readonly baseline: string
  /** Median by median. */
  readonly ratio: number
  /** The same, so that more than 1 is better. */
  readonly gain: number
  readonly verdict: Verdict
}

/** Less than this is no difference, however steady it is. */
const LEAST_GAIN = 1.02

/** Undefined for a baseline, where there is none, and where a ratio says nothing. */
export function compare(figure: Figure, all: readonly Figure[]): Comparison | undefined {
  if (figure.isBaseline) return undefined
  const baseline = baselineOf(figure, all)
  if (baseline === undefined) return undefined
  const ratio = medianOf(figure) / medianOf(baseline)
  if (!(ratio > 0 && ratio < Infinity)) return undefined
  const gain = gainOf(figure, ratio)
  return { baseline: baseline.contender, ratio, gain, verdict: judge(gain, gainsByRound(figure, baseline, gain)) }
}

/** One whose conditions are all the figure's: of those with the most conditions, the best. */
function baselineOf(figure: Figure, all: readonly Figure[]): Figure | undefined {
  const fitting = all.filter(
    (other) =>
      other.isBaseline &&
      other.metric === figure.metric &&
      other.unit === figure.unit &&
      Object.entries(other.at).every(([name, value]) => figure.at[name] === value),
  )
  const conditions = (other: Figure): number => Object.keys(other.at).length
  const worth = (other: Figure): number => (other.better === 'lower' ? -medianOf(other) : medianOf(other))
  return fitting.sort((one, other) => conditions(other) - conditions(one) || worth(other) - worth(one))[0]
}

function medianOf({ samples }: Figure): number {
  return spreadOf(samples).median
}

function gainOf({ better }: Figure, ratio: number): number {
  return better === 'lower' ? 1 / ratio : ratio
}

/** Rounds are interleaved: those of one number saw the same moment of the machine. */
function gainsByRound(figure: Figure, baseline: Figure, gain: number): readonly number[] {
  if (figure.samples.length !== baseline.samples.length) return [gain]
  return figure.samples.map((sample, round) => gainOf(figure, sample / (baseline.samples[round] ?? NaN)))
}

/** What half of the rounds, those in the middle, agree on. */
function judge(gain: number, rounds: readonly number[]): Verdict {
  const { lowerQuartile, upperQuartile } = spreadOf(rounds)
  if (gain <= LEAST_GAIN && gain >= 1 / LEAST_GAIN) return 'even'
  if (gain > 1) return lowerQuartile > 1 ? 'better' : 'unclear'
  return upperQuartile < 1 ? 'worse' : 'unclear'
}
