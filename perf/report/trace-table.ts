import type { TraceReport, TraceRow } from '../scenarios/trace.js'
import type { MeasuredTrip } from '../scenarios/hop-account.js'
import { fallbackLine, figure, table } from './table.js'

/** A table for each peer, and below it whether the hops explain the round trip. */
export function traceTable({ bytes, transport, rows, fallback }: TraceReport): string {
  const title = `${String(bytes)} B over ${transport}`
  return `${rows.map((row) => tableOf(title, row)).join('\n\n')}\n${fallbackLine(fallback)}`
}

function tableOf(title: string, row: TraceRow): string {
  const hops = row.rows.map(({ name, side, count, meanMicros, p50Micros, p99Micros, share }) => [
    side === 'near' ? name : `  ${name}`,
    String(count),
    figure(meanMicros),
    figure(p50Micros),
    figure(p99Micros),
    percent(share),
  ])
  const share = (micros: number): string => percent(micros / row.traced.meanMicros)
  const measured = (name: string, { meanMicros, p50Micros, p99Micros }: MeasuredTrip): string[] => [
    name,
    String(row.trips),
    ...[meanMicros, p50Micros, p99Micros].map((micros) => figure(micros)),
    share(meanMicros),
  ]
  const cells = [
    ...hops,
    ['sum of hops', String(row.followed), figure(row.sumMicros), '-', '-', share(row.sumMicros)],
    measured('round trip as measured with the trace', row.traced),
    measured('round trip with the trace off', row.untraced),
  ]
  const head = [`${title}, ${row.name}`, 'count', 'mean us', 'p50 us', 'p99 us', 'share']
  return `${table(head, cells)}\n${verdict(row)}`
}

function verdict({ isExplained, explained, isComplete, wrong }: TraceRow): string {
  const words = isExplained ? 'within 10 %' : 'NOT within 10 %'
  const counts = isComplete && wrong === 0 ? '' : `; COUNTS ARE WRONG (${String(wrong)} answers)`
  return `the hops explain ${percent(explained)} of the round trip: ${words}${counts}`
}

function percent(share: number): string {
  return `${figure(100 * share)} %`
}
