import type { PoolReport } from '../scenarios/pool-lending.js'
import { figure, table, times } from './table.js'

export function poolTable({ connections, rows }: PoolReport): string {
  const title = `lending one of ${String(connections)} idle connections`
  const head = [title, 'main CPU us', 'elapsed us', 'x base', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.mainMicros, 3),
    figure(row.elapsedMicros, 3),
    times(row.ratio),
    `${String(row.wrong)} of ${String(row.acquired)}`,
  ])
  return `${table(head, cells)}\n`
}
