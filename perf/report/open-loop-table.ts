import type { OpenLoopReport } from '../scenarios/open-loop.js'
import { fallbackLine, figure, table, times } from './table.js'

export function openLoopTable({ bytes, rateHz, rows, fallback }: OpenLoopReport): string {
  const title = `${String(bytes)} B, ${String(rateHz)} requests/s, from when each was due`
  const figures = ['p50 us', 'p99 us', 'p99.9 us', 'longest us', 'sent late us', 'CPU us']
  const head = [title, ...figures, 'x p50', 'x p99', 'x CPU', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.p50Micros),
    figure(row.p99Micros),
    figure(row.p999Micros),
    figure(row.maxMicros),
    figure(row.lateMicros),
    figure(row.cpuMicros),
    times(row.p50Ratio),
    times(row.p99Ratio),
    times(row.cpuRatio),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table(head, cells)}\n${fallbackLine(fallback)}`
}
