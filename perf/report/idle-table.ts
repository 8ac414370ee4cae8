import type { IdleRow } from '../scenarios/idle.js'
import { fallbackLine, figure, table } from './table.js'

const KIB = 1024

export function idleTable(rows: readonly IdleRow[], watch: number): string {
  const memory = ['KiB each', 'shared KiB', 'reserved KiB']
  const head = ['idle connections', 'count', ...memory, `CPU ms in ${String(watch)} s`]
  const cells = rows.map((row) => [
    row.name,
    String(row.connections),
    figure(row.bytesPerConnection / KIB, 2),
    figure(row.sharedPerConnection === undefined ? undefined : row.sharedPerConnection / KIB, 2),
    figure(row.reservedPerConnection / KIB, 2),
    figure(row.idleCpuMs),
  ])
  const fallback = rows.find((row) => row.fallback !== undefined)?.fallback
  return `${table(head, cells)}\n${fallbackLine(fallback)}`
}
