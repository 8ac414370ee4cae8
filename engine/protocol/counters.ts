/**
 * What a shard counts, in memory that main reads directly, and what main counts of its own for that shard
 * (`inline...`). Each is written by one thread alone and without atomics: an aligned 64-bit store is not torn, and a
 * reader that is one step behind is good enough for statistics.
 */
const names = [
  'reads',
  'bytesRead',
  'writes',
  'bytesWritten',
  'inlineWrites',
  'inlineBytesWritten',
  'pausedReads',
  'wakes',
] as const
/** Behind the counters: samples of the event loop's delay. */
const DELAY_SAMPLES = names.length
const DELAY_TOTAL_MS = names.length + 1
const DELAY_MAX_MS = names.length + 2
const WORDS = names.length + 3

export type CounterName = (typeof names)[number]

/** How late timers of a shard fired, in milliseconds. Sampled while the shard is busy, since the engine started. */
export interface EventLoopDelay {
  readonly samples: number
  /** 0 without samples. */
  readonly meanMs: number
  readonly maxMs: number
}

const counter = Object.fromEntries(names.map((name, index) => [name, index])) as Record<CounterName, number>

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

export function count(counters: Float64Array, name: CounterName, by: number): void {
  const index = counter[name]
  counters[index] = (counters[index] ?? 0) + by
}

export function readCounters(counters: Float64Array): Record<CounterName, number> {
  return Object.fromEntries(names.map((name, index) => [name, counters[index] ?? 0])) as Record<CounterName, number>
}
