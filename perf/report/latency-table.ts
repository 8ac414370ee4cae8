import type { LatencyReport } from '../scenarios/latency.js'
import { fallbackLine, figure, table, times } from './table.js'

export function latencyTable(bytes: number, { rows, fallback }: LatencyReport): string {
  const title = `${String(bytes)} B, one at a time`
  const figures = ['mean us', 'p50 us', 'p99 us', 'CPU us']
  const ratios = ['x base mean', 'x base p50', 'x base p99', 'x base CPU']
  const head = [title, ...figures, ...ratios, 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.meanMicros),
    figure(row.p50Micros),
    figure(row.p99Micros),
    figure(row.cpuMicros),
    times(row.ratio),
    times(row.p50Ratio),
    times(row.p99Ratio),
    times(row.cpuRatio),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table(head, cells)}\n${fallbackLine(fallback)}`
}
