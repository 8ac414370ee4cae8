import type { AcceptsReport } from '../scenarios/accepts.js'
import { figure, table, times } from './table.js'

export function acceptsTable({ calling, rows }: AcceptsReport): string {
  const head = [`accepting: ${calling}`, 'a second', 'x base', 'CPU us', 'callers CPU us', 'backlog full each', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.perSecond, 0),
    times(row.ratio),
    figure(row.cpuMicros),
    figure(row.callerCpuMicros),
    figure(row.fullShare, 2),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table(head, cells)}\n`
}
