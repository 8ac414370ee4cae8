import type { FloodReport } from '../scenarios/flood.js'
import { figure, table } from './table.js'

export function floodTable({ bytes, rows }: FloodReport): string {
  const head = [
    `flood of ${String(bytes)} B`,
    'quiet us',
    'flooded us',
    'p99 us',
    'timers late ms',
    'p99 ms',
    'MB/s',
    'counts',
  ]
  const cells = rows.map((row) => [
    row.name,
    figure(row.quietMeanMicros),
    figure(row.floodedMeanMicros),
    figure(row.floodedP99Micros),
    figure(row.timerMeanMs, 2),
    figure(row.timerP99Ms, 2),
    figure(row.megabytesPerSecond),
    row.verified && row.wrong === 0 ? 'right' : 'WRONG',
  ])
  return `${table(head, cells)}\n`
}
