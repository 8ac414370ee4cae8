/** What the tables of `npm run perf` show beside the baseline. */
import test from 'ava'
import { latencyTable } from '../../perf/report/latency-table.js'
import { requestsTable } from '../../perf/report/requests-table.js'
import type { LatencyRow } from '../../perf/scenarios/latency.js'
import type { RequestsRow } from '../../perf/scenarios/requests.js'

/** The cells of each line of a table, which two blanks or more divide. */
const cellsOf = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))

const net: LatencyRow = {
  name: 'net to net',
  meanMicros: 20,
  p50Micros: 10,
  p99Micros: 100,
  cpuMicros: 40,
  ratio: 1,
  p50Ratio: 1,
  p99Ratio: 1,
  cpuRatio: 1,
  count: 10,
  wrong: 0,
}
const engine: LatencyRow = { ...net, name: 'engine to net', ratio: 0.5, p50Ratio: 1.5, p99Ratio: 2.5, cpuRatio: 3.5 }

test('round trips have their mean, p50, p99 and CPU beside those of the baseline', (t) => {
  const [head, , , row] = cellsOf(latencyTable(64, 0, { rows: [net, engine], released: true }))
  t.deepEqual(head, [
    ...['64 B, closed loop', 'mean us', 'p50 us', 'p99 us', 'CPU us'],
    ...['x base mean', 'x base p50', 'x base p99', 'x base CPU', 'wrong'],
  ])
  t.deepEqual(row, [
    ...['engine to net', '20.0', '10.0', '100.0', '40.0'],
    ...['0.50x', '1.50x', '2.50x', '3.50x', '0 of 10'],
  ])
})

test('CPU that the system does not tell is a dash, and so is its ratio', (t) => {
  const untold = { ...engine, cpuMicros: undefined, cpuRatio: undefined }
  const [head = [], , row = []] = cellsOf(latencyTable(64, 10, { rows: [untold], released: true }))
  for (const column of ['CPU us', 'x base CPU']) t.is(row[head.indexOf(column)], '-')
})

const server: RequestsRow = {
  name: 'engine server',
  requestsPerSecond: 30_000,
  spread: 0.25,
  p50Micros: 10,
  p99Micros: 100,
  cpuMicros: 20,
  mainMicros: 5,
  clientCpuMicros: 6,
  ratio: 1.1,
  p50Ratio: 1.2,
  p99Ratio: 1.3,
  cpuRatio: 1.4,
  mainRatio: 0.5,
  count: 10,
  wrong: 1,
}

test('requests have their rate, p50, p99 and the CPU of the server beside those of the baseline', (t) => {
  const [head, , row] = cellsOf(requestsTable({ bytes: 64, clients: 10, rows: [server], released: true }))
  t.deepEqual(head, [
    ...['64 B, 10 clients', 'requests/s', 'spread', 'p50 us', 'p99 us', 'CPU us', 'main us', 'clients CPU us'],
    ...['x base', 'x p50', 'x p99', 'x CPU', 'x main', 'wrong'],
  ])
  t.deepEqual(row, [
    ...['engine server', '30000', '25 %', '10.0', '100.0', '20.0', '5.0', '6.0'],
    ...['1.10x', '1.20x', '1.30x', '1.40x', '0.50x', '1 of 10'],
  ])
})
