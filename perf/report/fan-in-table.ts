import type { FanInReport } from '../scenarios/fan-in.js'
import { fallbackLine, figure, table, times } from './table.js'

export function fanInTable({ bytes, clients, rows, fallback }: FanInReport): string {
  const title = `${String(bytes)} B, ${String(clients)} ${clients === 1 ? 'client' : 'clients'}`
  const figures = ['requests/s', 'spread', 'p50 us', 'p99 us', 'CPU us', 'main us', 'clients CPU us']
  const ratios = ['x base', 'x p50', 'x p99', 'x CPU', 'x main']
  const head = [title, ...figures, ...ratios, 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.requestsPerSecond, 0),
    `${figure(row.spread * 100, 0)} %`,
    figure(row.p50Micros),
    figure(row.p99Micros),
    figure(row.cpuMicros),
    figure(row.mainMicros),
    figure(row.clientCpuMicros),
    times(row.ratio),
    times(row.p50Ratio),
    times(row.p99Ratio),
    times(row.cpuRatio),
    times(row.mainRatio),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table(head, cells)}\n${fallbackLine(fallback)}`
}
