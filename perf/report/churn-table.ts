import type { ChurnRow } from '../scenarios/churn.js'
import { figure, table } from './table.js'

export function churnTable(bytes: number, rows: readonly ChurnRow[]): string {
  const head = [
    `${String(bytes)} B echoed by each`,
    'connections/s',
    'resident MiB by thirds',
    'peak MiB',
    'ring MiB',
    'counts',
  ]
  const cells = rows.map((row) => [
    row.name,
    figure((row.served / row.elapsedMs) * 1_000),
    row.residentMiB.map((mib) => mib.toFixed(0)).join(', '),
    figure(row.peakMiB),
    figure(row.ringMiB),
    row.verified ? 'right' : 'WRONG',
  ])
  return `${table(head, cells)}\n`
}
