import type { ThroughputReport } from '../scenarios/throughput.js'
import { fallbackLine, figure, table, times } from './table.js'

export function throughputTable({ bytes, rows, fallback }: ThroughputReport): string {
  const perFrame = ['main ns/frame', 'receiver ns/frame']
  const head = [`${String(bytes)} B`, 'kframes/s', 'MB/s', ...perFrame, 'CPU ms', 'x naive', 'x corked', 'counts']
  const cells = rows.map((row) => [
    row.name,
    figure(row.framesPerSecond / 1000),
    figure(row.megabytesPerSecond),
    figure(row.mainNanosPerFrame),
    figure(row.receiverNanosPerFrame),
    figure(row.cpuMs),
    times(row.timesNaive),
    times(row.timesCorked),
    row.verified ? 'right' : 'WRONG',
  ])
  return `${table(head, cells)}\n${fallbackLine(fallback)}`
}
