/** Frames a second and bytes a second in one direction; the receiver parses and is called for each frame. */
import type { FramingKind } from '../../engine/protocol/framing.js'
import { Contender, type ContenderConfig, type ContenderSettings, type ThroughputSample } from '../harness/contender.js'
import { SOCKETS, type Transport } from '../harness/meeting-place.js'
import { interleave, medianOf } from '../harness/rounds.js'

export interface ThroughputPlan extends ContenderSettings {
  readonly bytes: number
  readonly rounds: number
  /** Frames a round; 0: as many as make about `roundBytes`. */
  readonly frames: number
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
  readonly released: boolean
  /** Why the engine's frames did not go through shared memory, if they should have. */
  readonly fallback: string | undefined
}

/** Enough for a round of some hundred milliseconds: small frames by count, large ones by bytes. */
export function framesFor(bytes: number): number {
  return Math.max(200, Math.min(1_500_000, Math.floor(1_200_000_000 / (bytes + 200))))
}

export async function runThroughput(plan: ThroughputPlan): Promise<ThroughputReport> {
  const frames = plan.frames === 0 ? framesFor(plan.bytes) : plan.frames
  const contenders: Contender[] = []
  let released = true
  let fallback: string | undefined
  let samples: Map<string, ThroughputSample[]>
  try {
    for (const config of [...baselines, ...engines(plan)])
      contenders.push(await Contender.start('throughput', config, plan))
    for (const contender of contenders) fallback ??= contender.fallback
    // One round to compile the code and to grow the rings.
    for (const contender of contenders) await contender.throughput(plan.bytes, frames)
    samples = await interleave(contenders, plan.rounds, (contender) => contender.throughput(plan.bytes, frames))
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
  return { bytes: plan.bytes, rows, released, fallback }
}
