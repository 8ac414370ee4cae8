import type { LoopDelay } from '../harness/messages.js'
import type { HttpReport } from '../scenarios/http.js'
import { fallbackLine, figure, table, times } from './table.js'

export function httpTable({ work, clients, connections, rows, fallback }: HttpReport): string {
  const title = `${String(clients)} clients, ${String(connections)} connections, ${String(work.micros)} us of work`
  const figures = ['requests/s', 'x net', 'p50 us', 'p99 us', 'loop ms', 'main us', 'host us', 'behind us']
  const cells = rows.map((row) => [
    row.name,
    figure(row.requestsPerSecond, 0),
    times(row.ratio),
    figure(row.p50Micros, 0),
    figure(row.p99Micros, 0),
    delayOf(row.delay),
    figure(row.mainMicros),
    figure(row.hostMicros),
    figure(row.behindMicros),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table([title, ...figures, 'wrong'], cells)}\n${fallbackLine(fallback)}`
}

/** How late the event loop is: p50, p99 and the most. */
function delayOf(delay: LoopDelay | undefined): string {
  return delay === undefined ? '-' : [delay.p50Ms, delay.p99Ms, delay.maxMs].map((ms) => figure(ms)).join(' / ')
}
