import type { BlockedSenders, BusyMainReport } from '../scenarios/busy-main.js'
import { fallbackLine, figure, table } from './table.js'

export function busyMainTables(report: BusyMainReport): string {
  const tables = [serversTable(report), ...report.senders.map((senders) => sendersTable(report.blockMs, senders))]
  return `${tables.join('\n')}\n${fallbackLine(report.fallback)}`
}

function serversTable({ blockMs, duty, rateHz, connections, servers }: BusyMainReport): string {
  const title = `main blocked ${String(blockMs)} ms at a time, ${figure(duty * 100, 0)} % of the time; ${String(rateHz)} requests/s over ${String(connections)}`
  const figures = ['p50 ms', 'p99 ms', 'longest ms', 'answers/s in blocks', 'recovers ms', 'longest ms']
  const cells = servers.map((row) => [
    row.name,
    figure(row.p50Micros / 1_000, 2),
    figure(row.p99Micros / 1_000, 2),
    figure(row.longestMicros / 1_000, 2),
    figure(row.answersPerSecond, 0),
    figure(row.recoveryMs, 2),
    figure(row.longestRecoveryMs, 2),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  return `${table([title, ...figures, 'wrong'], cells)}\n`
}

function sendersTable(blockMs: number, { burstBytes, rows }: BlockedSenders): string {
  const title = `main sends ${String(burstBytes)} B, and is blocked for ${String(blockMs)} ms`
  const figures = ['at once: there at the end', 'rest ms', 'a turn later: there at the end', 'rest ms']
  const cells = rows.map((row) => [
    row.name,
    `${figure(row.atOncePercent, 0)} %`,
    figure(row.atOnceRestMs, 2),
    `${figure(row.laterPercent, 0)} %`,
    figure(row.laterRestMs, 2),
    row.verified ? 'right' : 'WRONG',
  ])
  return `${table([title, ...figures, 'counts'], cells)}\n`
}
