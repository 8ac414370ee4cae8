import type { ThroughputReport } from '../scenarios/throughput.js'
import { figure, table, times } from './table.js'

export function throughputTable({ bytes, rows }: ThroughputReport): string {
  const head = [`${String(bytes)} B`, 'kframes/s', 'MB/s', 'main ns/frame', 'CPU ms', 'x naive', 'x corked', 'counts']
  const cells = rows.map((row) => [
    row.name,
    figure(row.framesPerSecond / 1000),
    figure(row.megabytesPerSecond),
    figure(row.mainNanosPerFrame),
    figure(row.cpuMs),
    times(row.timesNaive),
    times(row.timesCorked),
    row.verified ? 'right' : 'WRONG',
  ])
  return `${table(head, cells)}\n`
}
