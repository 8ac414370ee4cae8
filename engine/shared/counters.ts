/**
 * What a shard counts, in memory that main reads directly. Written by the shard's thread alone and without atomics:
 * an aligned 64-bit store is not torn, and a reader that is one step behind is good enough for statistics.
 */
const names = ['reads', 'bytesRead', 'writes', 'bytesWritten', 'pausedReads', 'wakes'] as const

export type CounterName = (typeof names)[number]

export const counter = Object.fromEntries(names.map((name, index) => [name, index])) as Record<
  CounterName,
  number
>

export function createCounters(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(names.length * Float64Array.BYTES_PER_ELEMENT))
}

export function count(counters: Float64Array, name: CounterName, by: number): void {
  const index = counter[name]
  counters[index] = (counters[index] ?? 0) + by
}

export function readCounters(counters: Float64Array): Record<CounterName, number> {
  return Object.fromEntries(names.map((name, index) => [name, counters[index] ?? 0])) as Record<
    CounterName,
    number
  >
}
