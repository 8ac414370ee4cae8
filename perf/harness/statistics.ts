/** Figures of a set of samples. */

export interface Summary {
  readonly mean: number
  readonly p50: number
  readonly p99: number
}

/** Sorts the samples in place. */
export function summarize(samples: Float64Array): Summary {
  samples.sort()
  const at = (share: number): number => samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? NaN
  let sum = 0
  for (const sample of samples) sum += sample
  return { mean: sum / samples.length, p50: at(0.5), p99: at(0.99) }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** Undefined where the system could not tell one of the two. */
export function ratioOf(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || base === undefined ? undefined : value / base
}
