/** Round trips, one at a time, engine against `net`. */
import { countFor } from '../harness/amount.js'
import { Contender, type ContenderConfig, type ContenderSettings, type LatencySample } from '../harness/contender.js'
import { echoCommand } from '../harness/echo-command.js'
import { transports, type Transport } from '../harness/meeting-place.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf, type Measure } from '../report/figures-of.js'
import { ratioOf } from '../harness/statistics.js'

/** Between two processes, or with a child process. */
export type LatencyTransport = Transport | 'stdio'

/** What this platform has. */
export const latencyTransports: readonly LatencyTransport[] = [...transports, 'stdio']

export interface RoundTripPlan extends ContenderSettings {
  readonly bytes: number
  readonly rounds: number
  /** Round trips a round. */
  readonly count: number
  /** Instead of `count`: as many as take so long. */
  readonly seconds?: number | undefined
  readonly warmUp: number
}

export interface LatencyPlan extends RoundTripPlan {
  readonly transport: LatencyTransport
}

export interface LatencyRow {
  readonly name: string
  readonly meanMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly cpuMicros: number | undefined
  /** Mean over the baseline's mean of the same run. */
  readonly ratio: number
  readonly p50Ratio: number
  readonly p99Ratio: number
  /** Undefined where the system does not tell CPU. */
  readonly cpuRatio: number | undefined
  readonly count: number
  readonly wrong: number
}

/** The first of each is the baseline. */
const betweenTwo: readonly ContenderConfig[] = [
  { name: 'net to net', near: 'net', far: 'net', corkFrames: 1 },
  { name: 'engine to net', near: 'engine', far: 'net', corkFrames: 1 },
  { name: 'engine to engine', near: 'engine', far: 'engine', corkFrames: 1 },
]

/** `net` has nothing like it, so nothing to put between. */
const overSharedMemory: readonly ContenderConfig[] = [
  { name: 'net to net', near: 'net', far: 'net', corkFrames: 1 },
  { name: 'engine to engine, shm', near: 'engine', far: 'engine', corkFrames: 1, transport: 'shm' },
]

const withChild: readonly ContenderConfig[] = [
  {
    name: `child_process to ${echoCommand.name}`,
    near: 'child-process',
    far: undefined,
    corkFrames: 1,
  },
  { name: `engine to ${echoCommand.name}`, near: 'engine-child', far: undefined, corkFrames: 1 },
]

/** The first is the baseline. */
export function contendersOver(transport: LatencyTransport): readonly ContenderConfig[] {
  switch (transport) {
    case 'unix':
    case 'pipe':
      return betweenTwo
    case 'shm':
      return overSharedMemory
    case 'stdio':
      return withChild
  }
}

/** Whether this platform has it. */
export function isAvailable(transport: LatencyTransport): boolean {
  return latencyTransports.includes(transport)
}

export interface LatencyReport {
  readonly rows: readonly LatencyRow[]
  /** Every program's ledger balanced at its end. */
  readonly released: boolean
  /** Why the engine's frames did not go through shared memory, if they should have. */
  readonly fallback: string | undefined
  readonly figures: readonly Figure[]
}

export async function runLatency(plan: LatencyPlan): Promise<LatencyReport> {
  if (!isAvailable(plan.transport)) throw new Error(`${plan.transport} is not available on this platform`)
  return compareRoundTrips(contendersOver(plan.transport), plan)
}

/** The first is the baseline. */
export async function compareRoundTrips(
  configs: readonly ContenderConfig[],
  plan: RoundTripPlan,
): Promise<LatencyReport> {
  const contenders: Contender[] = []
  let released = true
  let fallback: string | undefined
  let samples: Map<string, LatencySample[]>
  try {
    plan.progress?.begin('warming up')
    for (const config of configs) contenders.push(await Contender.start('latency', config, plan))
    for (const contender of contenders) fallback ??= contender.fallback
    // The first few thousand round trips run two to three times slower: code is compiled, rings become resident.
    const counts = new Map<string, number>()
    for (const contender of contenders) {
      const { meanMicros } = await contender.latency(plan.bytes, plan.warmUp)
      counts.set(contender.name, countFor(plan, 1e6 / meanMicros))
    }
    const measure = (contender: Contender): Promise<LatencySample> =>
      contender.latency(plan.bytes, counts.get(contender.name) ?? plan.count)
    samples = await interleave(contenders, plan.rounds, measure, plan.progress, plan.order)
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const base = samples.get(contenders[0]?.name ?? '') ?? []
  const rows = [...samples].map(([name, own]) => {
    const [mine, theirs] = [mediansOf(own), mediansOf(base)]
    return {
      name,
      ...mine,
      ratio: mine.meanMicros / theirs.meanMicros,
      p50Ratio: mine.p50Micros / theirs.p50Micros,
      p99Ratio: mine.p99Micros / theirs.p99Micros,
      cpuRatio: ratioOf(mine.cpuMicros, theirs.cpuMicros),
      count: own.reduce((sum, sample) => sum + sample.count, 0),
      wrong: own.reduce((sum, sample) => sum + sample.wrong, 0),
    }
  })
  return { rows, released, fallback, figures: figuresOf(samples, { bytes: plan.bytes }, measures) }
}

const measures: readonly Measure<LatencySample>[] = [
  {
    metric: 'round trip',
    unit: 'us',
    better: 'lower',
    of: ({ meanMicros }) => meanMicros,
    distribution: ({ distribution }) => distribution,
  },
  { metric: 'round trip, median', unit: 'us', better: 'lower', of: ({ p50Micros }) => p50Micros },
  { metric: 'round trip, p99', unit: 'us', better: 'lower', of: ({ p99Micros }) => p99Micros },
  { metric: 'CPU of a round trip', unit: 'us', better: 'lower', of: ({ cpuMicros }) => cpuMicros },
]

function mediansOf(samples: readonly LatencySample[]) {
  return {
    meanMicros: medianOf(samples, (sample) => sample.meanMicros) ?? NaN,
    p50Micros: medianOf(samples, (sample) => sample.p50Micros) ?? NaN,
    p99Micros: medianOf(samples, (sample) => sample.p99Micros) ?? NaN,
    cpuMicros: medianOf(samples, (sample) => sample.cpuMicros),
  }
}
