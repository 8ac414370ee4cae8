/** The self-check's rows of speed: an engine beside the baseline of the same run. */
import type { LatencyReport } from '../scenarios/latency.js'
import type { ThroughputReport, ThroughputRow } from '../scenarios/throughput.js'
import { figure, times } from './table.js'
import type { Row, Target } from './verdict.js'

/** What a time is to be, by itself or beside the baseline's. */
export interface Goal {
  readonly target: Target
  judged(micros: number, baselineMicros: number): number
}

export function underMicros(limit: number): Goal {
  const target: Target = { is: 'below', limit, text: `< ${limit.toLocaleString('en')} us` }
  return { target, judged: (micros) => micros }
}

export function underBaseline(limit: number): Goal {
  const target: Target = { is: 'below', limit, text: `< ${String(limit)}x baseline` }
  return { target, judged: (micros, baselineMicros) => micros / baselineMicros }
}

export function timesBaseline(limit: number): Target {
  return { is: 'above', limit, text: `> ${String(limit)}x baseline` }
}

/** Figures of something else in its place would only mislead. */
export function notAvailable(metric: string, reason: string): Row {
  return { metric, measured: `not available: ${reason}`, value: NaN, of: 'speed', isMissing: true }
}

/** Of each row but the first, which is the baseline. */
export function latencyRows(title: string, { rows, fallback }: LatencyReport, goal: Goal): Row[] {
  if (fallback !== undefined) return [notAvailable(title, fallback)]
  const [baseline, ...others] = rows
  if (baseline === undefined) return []
  return others.flatMap((row) =>
    (
      [
        ['mean', row.meanMicros, baseline.meanMicros, goal],
        ['p50', row.p50Micros, baseline.p50Micros, undefined],
        ['p99', row.p99Micros, baseline.p99Micros, undefined],
      ] as const
    ).map(([label, micros, base, aim]) => ({
      metric: `${title}, 64 B, ${row.name}, ${label}`,
      measured: `${figure(micros)} us`,
      value: aim === undefined ? micros : aim.judged(micros, base),
      target: aim?.target,
      of: 'speed',
      baseline: `${figure(base)} us`,
      ratio: times(micros / base),
    })),
  )
}

/** Frames a second, beside one write a frame. */
export function smallFramesRow(title: string, report: ThroughputReport, target: Target): Row {
  const thousands = (row: ThroughputRow): string => `${figure(row.framesPerSecond / 1000, 0)} k`
  return throughputRow(title, report, (row) => row.name === 'net naive', thousands, target)
}

/** Megabytes a second, beside the better of both baselines. */
export function largeFramesRow(title: string, report: ThroughputReport, target?: Target): Row {
  const megabytes = (row: ThroughputRow): string => `${figure(row.megabytesPerSecond, 0)} MB/s`
  return throughputRow(title, report, (row) => row.name.startsWith('net'), megabytes, target)
}

function throughputRow(
  title: string,
  { rows, fallback }: ThroughputReport,
  isBaseline: (row: ThroughputRow) => boolean,
  show: (row: ThroughputRow) => string,
  target: Target | undefined,
): Row {
  const engine = rows.find((row) => row.name.startsWith('engine'))
  const [baseline] = rows.filter(isBaseline).sort((a, b) => b.framesPerSecond - a.framesPerSecond)
  if (engine === undefined || baseline === undefined) throw new Error(`${title}: a row is missing`)
  const metric = `${title}, ${engine.name}`
  if (fallback !== undefined) return notAvailable(metric, fallback)
  const value = engine.framesPerSecond / baseline.framesPerSecond
  return {
    metric,
    measured: show(engine),
    value,
    target,
    of: 'speed',
    baseline: show(baseline),
    ratio: times(value),
  }
}
