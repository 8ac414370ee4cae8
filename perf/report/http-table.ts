import type { HttpReport } from '../scenarios/http.js'
import { figure, table, times } from './table.js'

export function httpTable({ rows }: HttpReport): string {
  const head = ['round trip a request', 'requests/s', 'x base', 'mean ms', 'p99 ms', 'main us', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.requestsPerSecond, 0),
    times(row.ratio),
    figure(row.meanMs, 2),
    figure(row.p99Ms, 2),
    figure(row.mainMicros),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table(head, cells)}\n`
}
