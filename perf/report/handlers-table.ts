import type { LoopDelay } from '../harness/messages.js'
import type { HandlerRequestsReport } from '../scenarios/handler-requests.js'
import { figure, table, times } from './table.js'

export function handlersTable({ work, connections, rows }: HandlerRequestsReport): string {
  const title = `${String(work.micros)} us of CPU, ${String(connections)} connections`
  const figures = ['requests/s', 'spread', 'x main handler', 'p50 us', 'p99 us', 'CPU us', 'main us', 'clients CPU us']
  const delays = ['loop ms, idle', 'loop ms, loaded']
  const head = [title, ...figures, ...delays, 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.requestsPerSecond, 0),
    `${figure(row.spread * 100, 0)} %`,
    times(row.ratio),
    figure(row.p50Micros),
    figure(row.p99Micros),
    figure(row.cpuMicros),
    figure(row.mainMicros),
    figure(row.clientCpuMicros),
    delayOf(row.idle),
    delayOf(row.loaded),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table(head, cells)}\n`
}

/** How late the event loop is: p50, p99 and the most. */
function delayOf(delay: LoopDelay | undefined): string {
  return delay === undefined ? '-' : [delay.p50Ms, delay.p99Ms, delay.maxMs].map((ms) => figure(ms)).join(' / ')
}
