/**
 * Which engine options suit a load. Each is tried by itself beside the defaults; what is better beyond the noise is put
 * together, and measured again: a choice among many is never judged by the figures that it was chosen by. Every sample
 * has fresh programs, because two pairs of programs with the same options differ by more than noise does for as long as
 * they live.
 */
import { Distribution } from '../harness/distribution.js'
import { Forked } from '../harness/forked.js'
import type { Progress } from '../harness/progress.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Objective, TunedConfig, TunedCpu, TunedOrder, TunedResult, Tuning } from '../harness/tuning.js'
import { confidenceOfEach, judgeChange, type Judgement } from '../report/change.js'
import { figuresOf, type Measure } from '../report/figures-of.js'
import type { Figure } from '../report/figure.js'
import { mergedOf, type Candidate } from './tune-candidates.js'

export interface TuneLoad {
  readonly bytes: number
  readonly connections: number
  readonly depth: number
  readonly rateHz: number | undefined
}

export interface TunePlan {
  /** A free one for each pair of programs, where both are ours; or the user's. */
  readonly endpoint: () => string
  /** Whether this brings the echo. */
  readonly bringsEcho: boolean
  readonly framing: TunedConfig['framing']
  readonly load: TuneLoad
  readonly objective: Objective
  readonly candidates: readonly Candidate[]
  readonly rounds: number
  readonly seconds: number
  /** 0.03 for 3 %. */
  readonly margin: number
  readonly progress: Progress
}

export interface TuneSample {
  readonly perSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly cpuMicros: number
  readonly wrong: number
  readonly released: boolean
}

export interface TuneRow {
  readonly name: string
  readonly tuning: Tuning
  readonly perSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly cpuMicros: number
  readonly count: number
  /** Beside the defaults; undefined: these are the defaults. */
  readonly judgement: Judgement | undefined
}

export interface TuneReport {
  readonly swept: readonly TuneRow[]
  /** What was put together, measured again beside the defaults. */
  readonly again: readonly TuneRow[]
  /** Undefined: the defaults are as good, as far as this can tell. */
  readonly recommended: TuneRow | undefined
  readonly wrong: number
  readonly released: boolean
  readonly figures: readonly Figure[]
}

const DEFAULTS: Candidate = { name: 'defaults', sweep: undefined, tuning: {} }

/** Of each sample, so that code is compiled and rings are resident. */
const WARM_UP_SHARE = 0.6
/** Of the sweep, which only chooses what is measured again. */
const CHOOSING_CONFIDENCE = 0.95

interface Goal {
  readonly better: Figure['better']
  readonly of: (sample: TuneSample) => number
}

const goals: Readonly<Record<Objective, Goal>> = {
  latency: { better: 'lower', of: ({ p50Micros }) => p50Micros },
  throughput: { better: 'higher', of: ({ perSecond }) => perSecond },
  cpu: { better: 'lower', of: ({ cpuMicros }) => cpuMicros },
}

export function isHigherBetter(objective: Objective): boolean {
  return goals[objective].better === 'higher'
}

export async function runTune(plan: TunePlan): Promise<TuneReport> {
  const sweep = await compare([DEFAULTS, ...plan.candidates], CHOOSING_CONFIDENCE, plan, 'options by themselves')
  const better = rankedBy(plan, sweep.rows.filter(isBetter))
  const finalists = mergedOf(
    better.flatMap(({ name }) => plan.candidates.filter((candidate) => candidate.name === name)),
  )
  const again =
    finalists.length === 0 || sweep.wrong > 0
      ? undefined
      : await compare([DEFAULTS, ...finalists], confidenceOfEach(finalists.length), plan, 'the best of them again')
  const wrong = sweep.wrong + (again?.wrong ?? 0)
  const [recommended] = wrong > 0 ? [] : rankedBy(plan, again?.rows.filter(isBetter) ?? [])
  return {
    swept: sweep.rows,
    again: again?.rows ?? [],
    recommended,
    wrong,
    released: sweep.released && (again?.released ?? true),
    figures: sweep.figures,
  }
}

function isBetter({ judgement }: TuneRow): boolean {
  return judgement?.change.kind === 'faster'
}

/** The best first. */
function rankedBy({ objective }: TunePlan, rows: readonly TuneRow[]): TuneRow[] {
  const sign = isHigherBetter(objective) ? -1 : 1
  const ratio = ({ judgement }: TuneRow): number => judgement?.interval.median ?? 1
  return [...rows].sort((a, b) => sign * (ratio(a) - ratio(b)))
}

interface Compared {
  readonly rows: readonly TuneRow[]
  readonly wrong: number
  readonly released: boolean
  readonly figures: readonly Figure[]
}

/** The first are the defaults. */
async function compare(
  candidates: readonly Candidate[],
  confidence: number,
  plan: TunePlan,
  part: string,
): Promise<Compared> {
  const { rounds, progress, objective, margin } = plan
  progress.part(part)
  const samples = await interleave(candidates, rounds, (candidate) => sampleOf(candidate, plan), progress, inTurn)
  progress.part('')
  const { better, of } = goals[objective]
  const base = (samples.get(DEFAULTS.name) ?? []).map(of)
  const rows = candidates.map((candidate): TuneRow => {
    const own = samples.get(candidate.name) ?? []
    const mid = (figure: (sample: TuneSample) => number): number => medianOf(own, figure) ?? NaN
    return {
      name: candidate.name,
      tuning: candidate.tuning,
      perSecond: mid(({ perSecond }) => perSecond),
      p50Micros: mid(({ p50Micros }) => p50Micros),
      p99Micros: mid(({ p99Micros }) => p99Micros),
      cpuMicros: mid(({ cpuMicros }) => cpuMicros),
      count: own.length,
      judgement: candidate === DEFAULTS ? undefined : judgeChange(own.map(of), base, better, { margin, confidence }),
    }
  })
  const all = [...samples.values()].flat()
  return {
    rows,
    wrong: all.reduce((sum, { wrong }) => sum + wrong, 0),
    released: all.every(({ released }) => released),
    figures: figuresOf(samples, { bytes: plan.load.bytes, connections: plan.load.connections }, measures),
  }
}

/** Each is the first of a round as often as any other. */
function inTurn<Item>(items: readonly Item[], round: number): readonly Item[] {
  const first = round % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

const measures: readonly Measure<TuneSample>[] = [
  { metric: 'round trip, median', unit: 'us', better: 'lower', of: ({ p50Micros }) => p50Micros },
  { metric: 'round trip, p99', unit: 'us', better: 'lower', of: ({ p99Micros }) => p99Micros },
  { metric: 'requests', unit: 'requests/s', better: 'higher', of: ({ perSecond }) => perSecond },
  { metric: 'CPU of a round trip', unit: 'us', better: 'lower', of: ({ cpuMicros }) => cpuMicros },
]

async function sampleOf({ tuning }: Candidate, plan: TunePlan): Promise<TuneSample> {
  const { framing, load, seconds } = plan
  const { bytes, connections, depth, rateHz } = load
  const config = JSON.stringify({
    endpoint: plan.endpoint(),
    framing,
    options: tuning,
    connections,
    bytes,
  } satisfies TunedConfig)
  const echo = plan.bringsEcho ? await Forked.start('tuned-echo', config) : undefined
  let asking: Forked | undefined
  let sample: Omit<TuneSample, 'released'>
  let codes: readonly (number | null | undefined)[]
  try {
    asking = await Forked.start('tuned-load', config)
    const order: TunedOrder = { kind: 'measure', seconds, depth, rateHz }
    const warm = await asking.ask<TunedResult>({ ...order, seconds: seconds * WARM_UP_SHARE }, 'measured')
    const before = await cpuOf(echo)
    const result = await asking.ask<TunedResult>(order, 'measured')
    const cpuMs = result.cpuMs + (await cpuOf(echo)) - before
    const took = Distribution.decoded(result.distribution)
    sample = {
      perSecond: result.count / result.seconds,
      p50Micros: took.micros(50),
      p99Micros: took.micros(99),
      cpuMicros: (cpuMs * 1_000) / result.count,
      wrong: warm.wrong + result.wrong,
    }
  } finally {
    codes = [await asking?.stop(), await echo?.stop()]
  }
  return { ...sample, released: codes.every((code) => code === undefined || code === 0) }
}

async function cpuOf(program: Forked | undefined): Promise<number> {
  return program === undefined ? 0 : (await program.ask<TunedCpu>({ kind: 'cpu' }, 'cpu')).cpuMs
}

/** Starts a pair of programs with the defaults, to know whether there is anything to measure. @throws why not */
export async function tryOnce(plan: TunePlan): Promise<void> {
  await sampleOf(DEFAULTS, { ...plan, seconds: Math.min(plan.seconds, 0.1) })
}
