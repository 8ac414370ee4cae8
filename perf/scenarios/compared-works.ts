/** The pieces of work that are compared: what is counted in each, and which figure decides. */
import type { AskSample, PourSample } from '../harness/compared-pair.js'
import type { Distribution } from '../harness/distribution.js'
import type { Transport } from '../harness/meeting-place.js'
import type { WorkName } from '../harness/peer-catalogue.js'
import type { ResidentMemory } from '../harness/resident-memory.js'
import type { Unit } from '../report/figure.js'

export interface Column {
  readonly key: string
  readonly title: string
  readonly digits: number
  /** Of the figure that is handed on. */
  readonly metric: string
  readonly unit: Unit
  readonly better: 'lower' | 'higher'
  /** How much of `unit` the column counts in: 1,024 for KiB. */
  readonly scale?: number
  /** Its samples have the whole distribution, too. */
  readonly hasDistribution?: boolean
}

export interface ComparedSample {
  /** By the keys of the columns, in their units; undefined where the system does not tell. */
  readonly values: Readonly<Record<string, number | undefined>>
  /** Of round trips. */
  readonly distribution?: Distribution
  readonly isRight: boolean
}

export type ComparedOutcome =
  | { readonly kind: 'measured'; readonly samples: readonly ComparedSample[] }
  /** It has nothing like it, or cannot run here. */
  | { readonly kind: 'absent'; readonly why: string }
  | { readonly kind: 'failed'; readonly why: string }

export interface ComparedRow {
  readonly name: string
  readonly peer: string
  readonly ours: Transport | undefined
  readonly remark: string | undefined
  readonly outcome: ComparedOutcome
}

export interface ComparedWork {
  readonly name: WorkName
  readonly title: string
  readonly at: Readonly<Record<string, number>>
  readonly columns: readonly Column[]
  /** Decides which row is ahead. */
  readonly judged: Column
}

export interface ComparedTable {
  readonly work: ComparedWork
  readonly rows: readonly ComparedRow[]
}

const lower = 'lower' as const
const higher = 'higher' as const

function cpu(key: string, title: string, metric: string, unit: 'us' | 'ns'): Column {
  return { key, title, digits: unit === 'us' ? 1 : 0, metric, unit, better: lower }
}

const p50: Column = {
  key: 'p50',
  title: 'p50 us',
  digits: 1,
  metric: 'round trip, median',
  unit: 'us',
  better: lower,
  hasDistribution: true,
}
const p99: Column = { key: 'p99', title: 'p99 us', digits: 1, metric: 'round trip, p99', unit: 'us', better: lower }
const mean: Column = { key: 'mean', title: 'mean us', digits: 1, metric: 'round trip, mean', unit: 'us', better: lower }
const cpuOfRequests = [
  cpu('near', 'client us', 'client main CPU a request', 'us'),
  cpu('far', 'server us', 'server main CPU a request', 'us'),
  cpu('all', 'CPU us', 'CPU of all threads a request', 'us'),
]
const requests: Column = {
  key: 'rate',
  title: 'requests/s',
  digits: 0,
  metric: 'requests a second',
  unit: 'requests/s',
  better: higher,
}
const frames: Column = {
  key: 'rate',
  title: 'frames/s',
  digits: 0,
  metric: 'frames a second',
  unit: 'frames/s',
  better: higher,
}
const megabytes: Column = {
  key: 'megabytes',
  title: 'MB/s',
  digits: 0,
  metric: 'payload a second',
  unit: 'MB/s',
  better: higher,
}
const memory: Column = {
  key: 'both',
  title: 'KiB each, both',
  digits: 1,
  metric: 'memory of an idle connection, both processes',
  unit: 'bytes',
  better: lower,
  scale: 1024,
}
const nearMemory: Column = {
  ...memory,
  key: 'near',
  title: 'dialling',
  metric: 'memory of an idle connection, dialling',
}
const farMemory: Column = {
  ...memory,
  key: 'far',
  title: 'accepting',
  metric: 'memory of an idle connection, accepting',
}

export function sizeName(bytes: number): string {
  if (bytes >= 1_048_576 && bytes % 1_048_576 === 0) return `${String(bytes / 1_048_576)} MiB`
  if (bytes >= 1_024 && bytes % 1_024 === 0) return `${String(bytes / 1_024)} KiB`
  return `${String(bytes)} B`
}

export function roundTripWork(bytes: number): ComparedWork {
  const columns = [mean, p50, p99, ...cpuOfRequests]
  return { name: 'round-trip', title: `${sizeName(bytes)} round trip`, at: { bytes }, columns, judged: p50 }
}

export function fanInWork(bytes: number, connections: number): ComparedWork {
  const title = `${sizeName(bytes)} requests of ${connections.toLocaleString('en')} connections`
  const columns = [requests, p50, p99, ...cpuOfRequests]
  return { name: 'fan-in', title, at: { bytes, connections }, columns, judged: requests }
}

export function streamWork(bytes: number): ComparedWork {
  const cpuOfFrames = [
    cpu('near', 'sender ns', 'sender main CPU a frame', 'ns'),
    cpu('far', 'receiver ns', 'receiver main CPU a frame', 'ns'),
    cpu('all', 'CPU ns', 'CPU of all threads a frame', 'ns'),
  ]
  const columns = [frames, megabytes, ...cpuOfFrames]
  return { name: 'stream', title: `${sizeName(bytes)} stream`, at: { bytes }, columns, judged: frames }
}

export function idleWork(connections: number): ComparedWork {
  const title = `memory of ${connections.toLocaleString('en')} idle connections`
  return { name: 'idle', title, at: { connections }, columns: [memory, nearMemory, farMemory], judged: memory }
}

function micros(nanos: number | undefined): number | undefined {
  return nanos === undefined ? undefined : nanos / 1000
}

export function askedSample(sample: AskSample): ComparedSample {
  const { seconds, distribution, nearNanos, farNanos, allNanos, isRight } = sample
  const { count, meanMicros } = distribution
  const cpuMicros = { near: micros(nearNanos), far: micros(farNanos), all: micros(allNanos) }
  const [p50Micros, p99Micros] = [distribution.micros(50), distribution.micros(99)]
  const values = { rate: count / seconds, mean: meanMicros, p50: p50Micros, p99: p99Micros, ...cpuMicros }
  return { values, distribution, isRight }
}

export function pouredSample(sample: PourSample, bytes: number, count: number): ComparedSample {
  const { seconds, nearNanos, farNanos, allNanos, isRight } = sample
  const rate = count / seconds
  const values = { rate, megabytes: (rate * bytes) / 1e6, near: nearNanos, far: farNanos, all: allNanos }
  return { values, isRight }
}

/** Of both processes, or of one with both sides in it. Pages that both have count once in the sum. */
export function idleSample(
  before: readonly ResidentMemory[],
  after: readonly ResidentMemory[],
  connections: number,
): ComparedSample {
  const each = (bytes: number): number => bytes / connections / 1024
  const [near = NaN, far] = after.map(({ rssBytes }, i) => each(rssBytes - (before[i]?.rssBytes ?? NaN)))
  if (far === undefined) return { values: { both: near }, isRight: true }
  const shared = after.map(({ sharedBytes = 0 }, i) => each(sharedBytes - (before[i]?.sharedBytes ?? 0)))
  return { values: { near, far, both: near + far - Math.min(...shared) }, isRight: true }
}
