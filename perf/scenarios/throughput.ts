/** Frames a second and bytes a second in one direction; the receiver parses and is called for each frame. */
import type { FramingKind } from '../../engine/protocol/framing.js'
import { countFor } from '../harness/amount.js'
import { Contender, type ContenderConfig, type ContenderSettings, type ThroughputSample } from '../harness/contender.js'
import { SOCKETS, type Transport } from '../harness/meeting-place.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'

/** What any two programs are poured through. */
export interface StreamPlan extends ContenderSettings {
  readonly bytes: number
  readonly rounds: number
  /** Frames a round; 0: as many as make about `roundBytes`. */
  readonly frames: number
  /** Instead of `frames`: as many as take so long. */
  readonly seconds?: number | undefined
}

export interface ThroughputPlan extends StreamPlan {
  /** Also the engine in batches. Default false. */
  readonly batches?: boolean
  /** Also the engine with each of these; the first engine row is with `length`. */
  readonly framings?: readonly FramingKind[]
  /** Of the engine. */
  readonly transport: Transport
}

export interface ThroughputRow {
  readonly name: string
  readonly framesPerSecond: number
  readonly megabytesPerSecond: number
  /** Sending main thread's CPU per frame, nanoseconds. */
  readonly mainNanosPerFrame: number | undefined
  /** Receiving main thread's CPU per frame, nanoseconds. */
  readonly receiverNanosPerFrame: number | undefined
  readonly cpuMs: number | undefined
  /** Times the naive baseline of the same run. */
  readonly timesNaive: number
  readonly timesCorked: number
  readonly verified: boolean
}

export const CORKED_FRAMES = 1000

const baselines: readonly ContenderConfig[] = [
  { name: 'net naive', near: 'net', far: 'net', corkFrames: 1 },
  { name: 'net corked', near: 'net', far: 'net', corkFrames: CORKED_FRAMES },
]

/** With the default framing, and what was asked for besides. */
function engines({ transport, batches = false, framings = [] }: ThroughputPlan): ContenderConfig[] {
  const name = transport === SOCKETS ? 'engine to engine' : `engine to engine, ${transport}`
  const plain: ContenderConfig = { name, near: 'engine', far: 'engine', corkFrames: 1, transport }
  return [
    plain,
    ...(batches ? [{ ...plain, name: `${name}, batches`, batches }] : []),
    ...framings.map((framing) => ({ ...plain, name: `${name}, ${framing}`, framing })),
  ]
}

export interface ThroughputReport {
  readonly bytes: number
  readonly rows: readonly ThroughputRow[]
  readonly figures: readonly Figure[]
  readonly released: boolean
  /** Why the engine's frames did not go through shared memory, if they should have. */
  readonly fallback: string | undefined
}

/** Enough for a round of some hundred milliseconds: small frames by count, large ones by bytes. */
export function framesFor(bytes: number): number {
  return Math.max(200, Math.min(1_500_000, Math.floor(1_200_000_000 / (bytes + 200))))
}

export async function runThroughput(plan: ThroughputPlan): Promise<ThroughputReport> {
  return compareStreams([...baselines, ...engines(plan)], plan)
}

/** The first is the baseline. */
export async function compareStreams(configs: readonly ContenderConfig[], plan: StreamPlan): Promise<ThroughputReport> {
  const frames = plan.frames === 0 ? framesFor(plan.bytes) : plan.frames
  const contenders: Contender[] = []
  let released = true
  let fallback: string | undefined
  let samples: Map<string, ThroughputSample[]>
  try {
    plan.progress?.begin('warming up')
    for (const config of configs) contenders.push(await Contender.start('throughput', config, plan))
    for (const contender of contenders) fallback ??= contender.fallback
    // One round to compile the code and to grow the rings.
    const counts = new Map<string, number>()
    for (const contender of contenders) {
      const { framesPerSecond } = await contender.throughput(plan.bytes, frames)
      counts.set(contender.name, countFor({ count: frames, seconds: plan.seconds }, framesPerSecond))
    }
    const measure = (contender: Contender): Promise<ThroughputSample> =>
      contender.throughput(plan.bytes, counts.get(contender.name) ?? frames)
    samples = await interleave(contenders, plan.rounds, measure, plan.progress, plan.order)
  } finally {
    for (const contender of contenders) if (!(await contender.stop())) released = false
  }
  const rate = (name: string): number => medianOf(samples.get(name) ?? [], (sample) => sample.framesPerSecond) ?? NaN
  const rows = [...samples].map(([name, own]) => ({
    name,
    framesPerSecond: rate(name),
    megabytesPerSecond: medianOf(own, (sample) => sample.megabytesPerSecond) ?? NaN,
    mainNanosPerFrame: medianOf(own, (sample) => sample.mainNanosPerFrame),
    receiverNanosPerFrame: medianOf(own, (sample) => sample.receiverNanosPerFrame),
    cpuMs: medianOf(own, (sample) => sample.cpuMs),
    timesNaive: rate(name) / rate('net naive'),
    timesCorked: rate(name) / rate('net corked'),
    verified: own.every((sample) => sample.verified),
  }))
  const figures = figuresOf(samples, { bytes: plan.bytes }, [
    { metric: 'stream', unit: 'frames/s', better: 'higher', of: ({ framesPerSecond }) => framesPerSecond },
    { metric: 'stream, bytes', unit: 'MB/s', better: 'higher', of: ({ megabytesPerSecond }) => megabytesPerSecond },
    {
      metric: "sending main thread's CPU of a frame",
      unit: 'ns',
      better: 'lower',
      of: ({ mainNanosPerFrame }) => mainNanosPerFrame,
    },
    {
      metric: "receiving main thread's CPU of a frame",
      unit: 'ns',
      better: 'lower',
      of: ({ receiverNanosPerFrame }) => receiverNanosPerFrame,
    },
  ])
  return { bytes: plan.bytes, rows, figures, released, fallback }
}
