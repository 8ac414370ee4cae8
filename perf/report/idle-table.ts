import type { IdleRow } from '../scenarios/idle.js'
import { figure, table } from './table.js'

export function idleTable(rows: readonly IdleRow[], watch: number): string {
  const head = ['idle connections', 'count', 'KiB each', `CPU ms in ${String(watch)} s`]
  const cells = rows.map((row) => [
    row.name,
    String(row.connections),
    figure(row.bytesPerConnection / 1024, 2),
    figure(row.idleCpuMs),
  ])
  return `${table(head, cells)}\n`
}
