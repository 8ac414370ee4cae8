/** What one metric is: what both adapters call it, and where its values come from. */
import { observe, type DiagnosticsEvents } from '../../engine/common/diagnostics.js'
import type { EngineStats } from '../index.js'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly value: number
  /** Those of the metric, each of them. */
  readonly labels?: Labels
  /** Of a named thing; samples that differ in nothing else are added up, unless the host has asked for endpoints. */
  readonly endpoint?: string
}

interface MetricBase {
  /** Lower case, dots between its parts; both adapters put their prefix before it. */
  readonly name: string
  readonly help: string
  /** In UCUM, as OpenTelemetry wants it: `By`, `s`, `1` for a part of a whole, or what is counted in braces. */
  readonly unit: 'By' | 's' | '1' | `{${string}}`
  /** Besides `engine`. */
  readonly labels?: readonly string[]
  /** Whether its samples have endpoints. */
  readonly isNamed?: true
}

/** Read from `engine.stats()` whenever somebody asks. */
export interface StatsMetric extends MetricBase {
  readonly kind: 'counter' | 'gauge'
  readonly read: (stats: EngineStats) => readonly Sample[]
}

/** Counted from events, since the adapter observes the engine. */
export interface EventMetric extends MetricBase {
  readonly kind: 'counter'
  readonly from: EventSource
}

export interface HistogramMetric extends MetricBase {
  readonly kind: 'histogram'
  /** Upper bounds, in its unit. */
  readonly buckets: readonly number[]
  readonly from: EventSource
}

export type Metric = StatsMetric | EventMetric | HistogramMetric

/** Calls `give` with each sample of an engine's events; the returned function ends that. */
export type EventSource = (engine: string, give: (sample: Sample) => void) => () => void

export function eachOf<Name extends keyof DiagnosticsEvents>(
  name: Name,
  samplesOf: (event: DiagnosticsEvents[Name]) => Sample | readonly Sample[],
): EventSource {
  return (engine, give) =>
    observe(name, (event) => {
      if (event.engine === engine) for (const sample of [samplesOf(event)].flat()) give(sample)
    })
}

/** As OpenTelemetry calls it. */
export function otelName(prefix: string, { name }: Metric): string {
  return `${prefix}.${name}`
}

/** As Prometheus calls it: with its unit, and `_total` if it counts. */
export function promName(prefix: string, { name, unit, kind }: Metric): string {
  const suffix = unit === 'By' ? '_bytes' : unit === 's' ? '_seconds' : unit === '1' ? '_ratio' : ''
  return `${prefix}_${name.replaceAll('.', '_')}${suffix}${kind === 'counter' ? '_total' : ''}`
}
