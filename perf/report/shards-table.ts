import type { ShardsReport } from '../scenarios/shards.js'
import { figure, table, times } from './table.js'

export function shardsTable({ load, bytes, connections, workMicros, rows }: ShardsReport): string {
  const what = load === 'handlers' ? `${String(workMicros)} us of CPU a frame` : load
  const title = `${what}, ${String(bytes)} B, ${String(connections)} connections`
  const figures = ['frames/s', 'x base', 'p50 us', 'p99 us', 'CPU us', 'clients CPU us', 'main busy', 'shards busy']
  const cells = rows.map((row) => [
    row.name,
    figure(row.framesPerSecond, 0),
    times(row.ratio),
    figure(row.p50Micros),
    figure(row.p99Micros),
    figure(row.cpuMicros, 2),
    figure(row.clientCpuMicros, 2),
    row.main === undefined ? '-' : `${figure(row.main * 100, 0)} %`,
    row.shards.length === 0 ? '-' : `${row.shards.map((part) => figure(part * 100, 0)).join(', ')} %`,
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table([title, ...figures, 'wrong'], cells)}\n`
}
