/** Where the time of a round trip goes: engines that trace hops beside the same that do not. */
import type { HopStats } from '../../api/index.js'
import { countFor } from '../harness/amount.js'
import {
  Contender,
  type ContenderConfig,
  type ContenderSettings,
  type LatencySample,
  type TracedHops,
} from '../harness/contender.js'
import { Distribution } from '../harness/distribution.js'
import { SOCKETS, type Transport } from '../harness/meeting-place.js'
import { interleave } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf, type Measure } from '../report/figures-of.js'
import { accountOf, meansOfRounds, type HopAccount, type MeasuredTrip } from './hop-account.js'

export interface TracePlan extends ContenderSettings {
  readonly transport: Transport
  readonly bytes: number
  readonly rounds: number
  /** Round trips a round. */
  readonly count: number
  /** Instead of `count`: as many as take so long. */
  readonly seconds?: number | undefined
  readonly warmUp: number
}

/** Of one engine and its peer. */
export interface TraceRow extends HopAccount {
  readonly name: string
  readonly wrong: number
}

export interface TraceReport {
  readonly transport: Transport
  readonly bytes: number
  readonly rows: readonly TraceRow[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
  /** Why frames did not go through shared memory, if they should have. */
  readonly fallback: string | undefined
  readonly figures: readonly Figure[]
}

interface TraceSample extends LatencySample {
  /** Since the warm-up. */
  readonly hops: TracedHops
}

const TRACED = ', traced'

/** `net` has no shared memory. */
function pairsOver(transport: Transport): readonly ContenderConfig[] {
  const common = { near: 'engine', corkFrames: 1, transport } as const
  const both = { ...common, name: 'engine to engine', far: 'engine' } as const
  return transport === SOCKETS ? [{ ...common, name: 'engine to net', far: 'net' }, both] : [both]
}

export async function runTrace(plan: TracePlan): Promise<TraceReport> {
  const pairs = pairsOver(plan.transport)
  const contenders: Contender[] = []
  let released = true
  let fallback: string | undefined
  let samples: Map<string, TraceSample[]>
  try {
    for (const pair of pairs) {
      contenders.push(await Contender.start('latency', pair, plan))
      const traced = { ...pair, name: pair.name + TRACED, traceHops: true }
      contenders.push(await Contender.start('latency', traced, plan))
    }
    for (const contender of contenders) fallback ??= contender.fallback
    const counts = new Map<string, number>()
    for (const contender of contenders) {
      const { meanMicros } = await contender.latency(plan.bytes, plan.warmUp)
      counts.set(contender.name, countFor(plan, 1e6 / meanMicros))
      await contender.resetHops()
    }
    const measure = async (contender: Contender): Promise<TraceSample> => {
      const sample = await contender.latency(plan.bytes, counts.get(contender.name) ?? plan.count)
      return { ...sample, hops: await contender.hops() }
    }
    samples = await interleave(contenders, plan.rounds, measure, plan.progress)
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const { transport, bytes } = plan
  const at = { bytes, transport }
  const rows = pairs.map(({ name }) => rowOf(name, samples.get(name) ?? [], samples.get(name + TRACED) ?? []))
  const figures = [
    ...figuresOf(samples, at, [roundTrip]),
    ...pairs.flatMap(({ name }) => hopFigures(name, samples, at)),
  ]
  return { transport, bytes, rows, released, fallback, figures }
}

const roundTrip: Measure<TraceSample> = {
  metric: 'round trip',
  unit: 'us',
  better: 'lower',
  of: ({ meanMicros }) => meanMicros,
  distribution: ({ distribution }) => distribution,
}

function rowOf(name: string, untraced: readonly TraceSample[], traced: readonly TraceSample[]): TraceRow {
  const hops = traced.at(-1)?.hops ?? { near: [], far: [] }
  const trips = traced.reduce((sum, { count }) => sum + count, 0)
  const account = accountOf(hops, trips, measuredIn(traced), measuredIn(untraced))
  return { name, wrong: [...untraced, ...traced].reduce((sum, sample) => sum + sample.wrong, 0), ...account }
}

/** Of all round trips, as the hops are: a median of rounds would leave out what the hops have. */
function measuredIn(samples: readonly LatencySample[]): MeasuredTrip {
  const count = samples.reduce((sum, sample) => sum + sample.count, 0)
  const all = Distribution.sumOf(samples.map(({ distribution }) => distribution))
  return {
    meanMicros: samples.reduce((sum, sample) => sum + sample.meanMicros * sample.count, 0) / count,
    p50Micros: all.micros(50),
    p99Micros: all.micros(99),
  }
}

function hopFigures(name: string, samples: ReadonlyMap<string, readonly TraceSample[]>, at: Figure['at']): Figure[] {
  const told = samples.get(name + TRACED) ?? []
  const [baseline] = samples.keys()
  const isBaseline = name === baseline
  const near = told.map(({ hops }) => hops.near)
  const far = told.map(({ hops }) => hops.far)
  return [
    ...figuresOfSide(near, { contender: name, isBaseline, at }),
    ...figuresOfSide(far, { contender: `${name}, at the peer`, isBaseline: false, at }),
  ]
}

function figuresOfSide(
  told: readonly (readonly HopStats[])[],
  of: Pick<Figure, 'contender' | 'isBaseline' | 'at'>,
): Figure[] {
  const means = meansOfRounds(told)
  return (told.at(-1) ?? []).flatMap(({ hop, p50Micros, p99Micros, maxMicros }): Figure[] => {
    const rounds = means.get(hop)
    if (rounds === undefined) return []
    const distribution = [
      { percentile: 50, value: p50Micros },
      { percentile: 99, value: p99Micros },
      { percentile: 100, value: maxMicros },
    ]
    return [{ ...of, metric: `hop ${hop}`, unit: 'us', better: 'lower', samples: rounds, distribution }]
  })
}
