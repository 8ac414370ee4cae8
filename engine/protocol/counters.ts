/**
 * What a shard counts, in memory that main reads directly, and what main counts for that shard (`inline...`). Each is
 * written by one thread alone and without atomics: an aligned 64-bit store is not torn, and a reader that is one step
 * behind is good enough for statistics.
 */
const names = [
  'reads',
  'bytesRead',
  'writes',
  'bytesWritten',
  'inlineWrites',
  'inlineBytesWritten',
  'inlineReads',
  'inlineBytesRead',
  'pausedReads',
  'wakes',
] as const
/** Behind the counters: samples of the event loop's delay. */
const DELAY_SAMPLES = names.length
const DELAY_TOTAL_MS = names.length + 1
const DELAY_MAX_MS = names.length + 2
/** Behind them: what handler modules do in the shard. */
const HANDLERS = names.length + 3

const handlerNames = [
  'opened',
  'closed',
  'frames',
  'bytes',
  'busyMs',
  'lanesTaken',
  'lanesGiven',
  'regionsTaken',
  'regionsGiven',
  'duplicatesOpened',
  'duplicatesClosed',
  'segmentsOpened',
  'segmentsClosed',
  'mappingsMade',
  'mappingsReleased',
  'ringMemoryBytes',
  'ringMemoryInUseBytes',
] as const

const WORDS = HANDLERS + handlerNames.length

export type CounterName = (typeof names)[number]

export type HandlerCounterName = (typeof handlerNames)[number]

/** How late timers of a shard fired, in milliseconds. Sampled while the shard is busy, since the engine started. */
export interface EventLoopDelay {
  readonly samples: number
  /** 0 without samples. */
  readonly meanMs: number
  readonly maxMs: number
}

/** Where each counter lies: to look a name up costs several times what counting does. */
export const counter = Object.fromEntries(names.map((name, index) => [name, index])) as Record<CounterName, number>

/** As `counter`, of what handler modules do. */
export const handlerCounter = Object.fromEntries(handlerNames.map((name, index) => [name, HANDLERS + index])) as Record<
  HandlerCounterName,
  number
>

export function createCounters(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(WORDS * Float64Array.BYTES_PER_ELEMENT))
}

export function addDelaySample(counters: Float64Array, ms: number): void {
  counters[DELAY_SAMPLES] = (counters[DELAY_SAMPLES] ?? 0) + 1
  counters[DELAY_TOTAL_MS] = (counters[DELAY_TOTAL_MS] ?? 0) + ms
  counters[DELAY_MAX_MS] = Math.max(counters[DELAY_MAX_MS] ?? 0, ms)
}

export function readDelay(counters: Float64Array): EventLoopDelay {
  const samples = counters[DELAY_SAMPLES] ?? 0
  const total = counters[DELAY_TOTAL_MS] ?? 0
  return { samples, meanMs: samples === 0 ? 0 : total / samples, maxMs: counters[DELAY_MAX_MS] ?? 0 }
}

/** `index`: of `counter`. */
export function count(counters: Float64Array, index: number, by: number): void {
  counters[index] = (counters[index] ?? 0) + by
}

export function readCounters(counters: Float64Array): Record<CounterName, number> {
  return Object.fromEntries(names.map((name, index) => [name, counters[index] ?? 0])) as Record<CounterName, number>
}

export function readHandlerCounters(counters: Float64Array): Record<HandlerCounterName, number> {
  return Object.fromEntries(handlerNames.map((name) => [name, counters[handlerCounter[name]] ?? 0])) as Record<
    HandlerCounterName,
    number
  >
}

/** What handler modules open and release: how much of each was opened, and released. */
export const handlerLines = {
  connections: ['opened', 'closed'],
  lanes: ['lanesTaken', 'lanesGiven'],
  regions: ['regionsTaken', 'regionsGiven'],
  duplicates: ['duplicatesOpened', 'duplicatesClosed'],
  segments: ['segmentsOpened', 'segmentsClosed'],
  mappings: ['mappingsMade', 'mappingsReleased'],
} as const satisfies Record<string, readonly [HandlerCounterName, HandlerCounterName]>

export type HandlerLine = keyof typeof handlerLines

/** The shard is dead: what its handler modules had open is gone. */
export function releaseHandlerCounters(counters: Float64Array): void {
  for (const [opened, released] of Object.values(handlerLines))
    counters[handlerCounter[released]] = counters[handlerCounter[opened]] ?? 0
  counters[handlerCounter.ringMemoryBytes] = 0
  counters[handlerCounter.ringMemoryInUseBytes] = 0
}
