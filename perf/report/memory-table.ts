import type { MemoryReport } from '../scenarios/memory.js'
import { fallbackLine, figure, table } from './table.js'

const KIB = 1024

export function memoryTable({ connections, burstBytes, rows }: MemoryReport, watch: number): string {
  const title = `${String(connections)} connections, KiB of each`
  const memory = ['connected', `after ${figure(burstBytes / KIB, 0)} KiB`, 'idle again', 'shared', 'reserved']
  const ofRings = ['rings', 'in use']
  const head = [title, ...memory, ...ofRings, 'descriptors', `CPU ms in ${String(watch)} s`, 'counts']
  const kib = (bytes: number | undefined): string => figure(bytes === undefined ? undefined : bytes / KIB, 2)
  const cells = rows.map((row) => [
    `${row.stack}, ${row.end}`,
    kib(row.connectedBytes),
    kib(row.usedBytes),
    kib(row.idleBytes),
    kib(row.sharedBytes),
    kib(row.reservedBytes),
    kib(row.ringBytes),
    kib(row.ringBytesInUse),
    figure(row.descriptors, 2),
    figure(row.idleCpuMs),
    row.verified ? 'right' : 'WRONG',
  ])
  const fallback = rows.find((row) => row.fallback !== undefined)?.fallback
  return `${table(head, cells)}\n${fallbackLine(fallback)}`
}
