/** What `tune` says: a table of what it has tried, what it recommends, and why. */
import { amount } from '../../api/cli/top/figures.js'
import type { Objective } from '../harness/tuning.js'
import { linesOf } from '../scenarios/tune-candidates.js'
import type { TuneReport, TuneRow } from '../scenarios/tune.js'
import { figure, table } from './table.js'
import type { Judgement } from './change.js'

const words: Readonly<Record<Objective, string>> = {
  latency: 'median round trip',
  throughput: 'round trips a second',
  cpu: 'CPU of a round trip',
}

export interface TuneWords {
  readonly objective: Objective
  readonly isHigherBetter: boolean
  readonly rounds: number
  /** 0.03 for 3 %. */
  readonly margin: number
  /** Where the options belong. */
  readonly ends: string
}

export function tuneTable(rows: readonly TuneRow[], { objective, isHigherBetter }: TuneWords): string {
  const head = ['changed', 'p50 us', 'p99 us', 'trips/s', 'CPU us', `${objective}, % better`]
  return table(
    head,
    rows.map(({ name, p50Micros, p99Micros, perSecond, cpuMicros, judgement }) => [
      name,
      figure(p50Micros),
      figure(p99Micros),
      amount(perSecond),
      figure(cpuMicros),
      judgement === undefined ? '' : spread(judgement, isHigherBetter),
    ]),
  )
}

/** The recommendation, and why. */
export function tuneLines(report: TuneReport, tuned: TuneWords): readonly string[] {
  const { recommended, swept, wrong, released } = report
  if (wrong > 0) return [`${String(wrong)} answers were not the frame that was sent: nothing is recommended.`]
  const leaks = released ? [] : ['A program failed, or left something open.']
  const margin = `${figure(tuned.margin * 100, 0)} %`
  if (recommended?.judgement === undefined) {
    return [
      ...leaks,
      'Recommended: createEngine() as it is. The defaults are as good, as far as this can tell.',
      `Why: nothing was better by more than ${margin}, beyond the noise of ${String(tuned.rounds)} rounds.`,
    ]
  }
  const alone = swept.filter(
    ({ name, judgement }) => judgement !== undefined && linesOf(recommended.tuning).includes(name),
  )
  return [
    ...leaks,
    `Recommended${tuned.ends}:`,
    '',
    '  const engine = await createEngine({',
    ...linesOf(recommended.tuning).map((line) => `    ${line},`),
    '  })',
    '',
    `Why: the ${words[tuned.objective]} is ${spread(recommended.judgement, tuned.isHigherBetter)} % better than with`,
    `the defaults, measured again in ${String(tuned.rounds)} rounds of fresh programs, beyond ${margin}.`,
    ...(alone.length < 2
      ? []
      : alone.flatMap(({ name, judgement }) =>
          judgement === undefined ? [] : [`  ${name} by itself: ${spread(judgement, tuned.isHigherBetter)} %`],
        )),
  ]
}

/** Percent by which it is better, and between which that lies; negative: worse. */
function spread({ interval: { median, low, high } }: Judgement, isHigherBetter: boolean): string {
  const gain = (ratio: number): string => figure((isHigherBetter ? ratio - 1 : 1 - ratio) * 100)
  if (!Number.isFinite(high)) return `${gain(median)} (too few rounds)`
  const [worst, best] = isHigherBetter ? [low, high] : [high, low]
  return `${gain(median)} (${gain(worst)} to ${gain(best)})`
}
