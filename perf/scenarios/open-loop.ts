/**
 * Round trips in an open loop, at several rates, engine against `net`. Each counts from the time at which it was due:
 * one that is sent late, because the sender or the peer was stalled, took the longer for it.
 */
import { Contender, type ContenderConfig, type ContenderSettings, type OpenLoopSample } from '../harness/contender.js'
import { Distribution } from '../harness/distribution.js'
import type { Transport } from '../harness/meeting-place.js'
import { interleave, medianOf } from '../harness/rounds.js'
import { ratioOf } from '../harness/statistics.js'
import type { Figure } from '../report/figure.js'
import { figuresOf, type Measure } from '../report/figures-of.js'
import { contendersOver } from './latency.js'

export interface OpenLoopPlan extends ContenderSettings {
  readonly bytes: number
  readonly rounds: number
  readonly transports: readonly Transport[]
  /** Round trips a second. */
  readonly rates: readonly number[]
  /** Of a round. */
  readonly seconds: number
  /** Round trips, one at a time. */
  readonly warmUp: number
}

export interface OpenLoopRow {
  readonly name: string
  /** Medians of the rounds. */
  readonly p50Micros: number
  readonly p99Micros: number
  /** Of all rounds together. */
  readonly p999Micros: number
  readonly maxMicros: number
  /** How long after it was due the sender sent a request, half of the time. */
  readonly lateMicros: number
  readonly cpuMicros: number | undefined
  /** Medians over the baseline's medians of the same run. */
  readonly p50Ratio: number
  readonly p99Ratio: number
  readonly cpuRatio: number | undefined
  readonly count: number
  readonly wrong: number
}

export interface OpenLoopReport {
  readonly bytes: number
  readonly rateHz: number
  readonly rows: readonly OpenLoopRow[]
  readonly figures: readonly Figure[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
  /** Why connections are not over shared memory, if they should be. */
  readonly fallback: string | undefined
}

/** Even at a low rate there is something to compare. */
const LEAST = 2

const measures: readonly Measure<OpenLoopSample>[] = [
  {
    metric: 'from when it was due, median',
    unit: 'us',
    better: 'lower',
    of: ({ distribution }) => distribution.micros(50),
    distribution: ({ distribution }) => distribution,
  },
  ...([99, 99.9] as const).map((percentile): Measure<OpenLoopSample> => {
    const metric = `from when it was due, p${String(percentile)}`
    return { metric, unit: 'us', better: 'lower', of: ({ distribution }) => distribution.micros(percentile) }
  }),
  { metric: 'from when it was due, longest', unit: 'us', better: 'lower', of: (s) => s.distribution.micros(100) },
  { metric: 'CPU of a round trip', unit: 'us', better: 'lower', of: ({ cpuMicros }) => cpuMicros },
]

/** The first is the baseline, which is the same for all transports. */
function configsOf(transports: readonly Transport[]): readonly ContenderConfig[] {
  const all = transports.flatMap((transport) => contendersOver(transport))
  return [...new Map(all.map((config) => [config.name, config])).values()]
}

export async function runOpenLoop(plan: OpenLoopPlan): Promise<readonly OpenLoopReport[]> {
  const { bytes, rates, seconds, rounds, progress } = plan
  const contenders: Contender[] = []
  const measured: { readonly rateHz: number; readonly samples: ReadonlyMap<string, readonly OpenLoopSample[]> }[] = []
  let released = true
  let fallback: string | undefined
  try {
    for (const config of configsOf(plan.transports)) contenders.push(await Contender.start('latency', config, plan))
    for (const contender of contenders) fallback ??= contender.fallback
    // The first few thousand round trips run two to three times slower: code is compiled, rings become resident.
    for (const contender of contenders) await contender.latency(bytes, plan.warmUp)
    for (const rateHz of rates) {
      const count = Math.max(LEAST, Math.round(rateHz * seconds))
      const measure = (contender: Contender): Promise<OpenLoopSample> => contender.openLoop({ bytes, count, rateHz })
      measured.push({ rateHz, samples: await interleave(contenders, rounds, measure, progress) })
    }
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  return measured.map(({ rateHz, samples }) => {
    const figures = figuresOf(samples, { bytes, rate: rateHz }, measures)
    return { bytes, rateHz, rows: rowsOf(samples), figures, released, fallback }
  })
}

function rowsOf(samples: ReadonlyMap<string, readonly OpenLoopSample[]>): readonly OpenLoopRow[] {
  const [first = []] = samples.values()
  const base = mediansOf(first)
  return [...samples].map(([name, own]) => {
    const mine = mediansOf(own)
    const all = Distribution.sumOf(own.map(({ distribution }) => distribution))
    return {
      name,
      ...mine,
      p999Micros: all.micros(99.9),
      maxMicros: all.micros(100),
      lateMicros: Distribution.sumOf(own.map(({ lateness }) => lateness)).micros(50),
      p50Ratio: mine.p50Micros / base.p50Micros,
      p99Ratio: mine.p99Micros / base.p99Micros,
      cpuRatio: ratioOf(mine.cpuMicros, base.cpuMicros),
      count: own.reduce((sum, { count }) => sum + count, 0),
      wrong: own.reduce((sum, { wrong }) => sum + wrong, 0),
    }
  })
}

function mediansOf(samples: readonly OpenLoopSample[]) {
  return {
    p50Micros: medianOf(samples, ({ distribution }) => distribution.micros(50)) ?? NaN,
    p99Micros: medianOf(samples, ({ distribution }) => distribution.micros(99)) ?? NaN,
    cpuMicros: medianOf(samples, ({ cpuMicros }) => cpuMicros),
  }
}
