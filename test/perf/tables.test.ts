/** What the tables of `npm run perf` show beside the baseline. */
import test from 'ava'
import { table } from '../../perf/report/table.js'
import { grouped } from '../../perf/report/grouped.js'
import { fanInTable } from '../../perf/report/fan-in-table.js'
import { latencyTable } from '../../perf/report/latency-table.js'
import { memoryTable } from '../../perf/report/memory-table.js'
import { throughputTable } from '../../perf/report/throughput-table.js'
import type { FanInRow } from '../../perf/scenarios/fan-in.js'
import type { LatencyRow } from '../../perf/scenarios/latency.js'
import type { MemoryRow } from '../../perf/scenarios/memory.js'
import type { ThroughputRow } from '../../perf/scenarios/throughput.js'

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

const poured: ThroughputRow = {
  name: 'engine to engine, shm',
  framesPerSecond: 5_000_000,
  megabytesPerSecond: 320,
  mainNanosPerFrame: 70,
  receiverNanosPerFrame: 80,
  cpuMs: 150,
  timesNaive: 30,
  timesCorked: 4,
  verified: true,
}

const idle: MemoryRow = {
  stack: 'engine, shm',
  end: 'dialled',
  connections: 100,
  connectedBytes: 16_384,
  usedBytes: 98_304,
  idleBytes: 20_480,
  sharedBytes: 4_096,
  reservedBytes: 12_288,
  ringBytes: 3_072,
  ringBytesInUse: 2_048,
  descriptors: 1,
  idleCpuMs: 2,
  fallback: undefined,
  verified: true,
}

const memoryOf = (rows: readonly MemoryRow[], watch: number): string =>
  memoryTable({ connections: 100, burstBytes: 65_536, rows, figures: [] }, watch)

test('round trips have their mean, p50, p99 and CPU beside those of the baseline', (t) => {
  const [head, , , row] = cellsOf(
    latencyTable(64, { rows: [net, engine], released: true, figures: [], fallback: undefined }),
  )
  t.deepEqual(head, [
    ...['64 B, one at a time', 'mean us', 'p50 us', 'p99 us', 'CPU us'],
    ...['x base mean', 'x base p50', 'x base p99', 'x base CPU', 'wrong'],
  ])
  t.deepEqual(row, [
    ...['engine to net', '20.0', '10.0', '100.0', '40.0'],
    ...['0.50x', '1.50x', '2.50x', '3.50x', '0 of 10'],
  ])
})

test('CPU that the system does not tell is a dash, and so is its ratio', (t) => {
  const untold = { ...engine, cpuMicros: undefined, cpuRatio: undefined }
  const [head = [], , row = []] = cellsOf(
    latencyTable(64, { rows: [untold], released: true, figures: [], fallback: undefined }),
  )
  for (const column of ['CPU us', 'x base CPU']) t.is(row[head.indexOf(column)], '-')
})

test('figures that are not those of shared memory say so, and why', (t) => {
  const fallback = 'nothing makes the system calls'
  const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? ''
  const row = { ...idle, fallback }
  for (const text of [
    latencyTable(64, { rows: [net], released: true, figures: [], fallback }),
    throughputTable({ bytes: 64, rows: [poured], released: true, figures: [], fallback }),
    memoryOf([idle, row], 1),
  ]) {
    t.is(lastLine(text), `NOT over shared memory: ${fallback}`)
  }
  t.false(memoryOf([idle], 1).includes('NOT'))
})

test('frames a second stand beside the CPU of both main threads, and both baselines', (t) => {
  const text = throughputTable({ bytes: 64, rows: [poured], released: true, figures: [], fallback: undefined })
  const [head, , row] = cellsOf(text)
  t.deepEqual(head, [
    ...['64 B', 'kframes/s', 'MB/s', 'main ns/frame', 'receiver ns/frame', 'CPU ms'],
    ...['x naive', 'x corked', 'counts'],
  ])
  t.deepEqual(row, [
    ...['engine to engine, shm', '5000.0', '320.0', '70.0', '80.0', '150.0'],
    ...['30.00x', '4.00x', 'right'],
  ])
})

test('a connection has its memory at three times, what is shared, reserved and of rings, and its descriptors', (t) => {
  const [head, , row, other] = cellsOf(memoryOf([idle, { ...idle, sharedBytes: undefined, verified: false }], 30))
  t.deepEqual(head, [
    ...['100 connections, KiB of each', 'connected', 'after 64 KiB', 'idle again', 'shared', 'reserved', 'rings'],
    ...['in use', 'descriptors', 'CPU ms in 30 s', 'counts'],
  ])
  t.deepEqual(row, [
    ...['engine, shm, dialled', '16.00', '96.00', '20.00', '4.00', '12.00', '3.00', '2.00', '1.00', '2.0', 'right'],
  ])
  t.deepEqual([other?.[4], other?.[10]], ['-', 'WRONG'])
})

const server: FanInRow = {
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
  const [head, , row] = cellsOf(
    fanInTable({ bytes: 64, clients: 10, rows: [server], released: true, figures: [], fallback: undefined }),
  )
  t.deepEqual(head, [
    ...['64 B, 10 clients', 'requests/s', 'spread', 'p50 us', 'p99 us', 'CPU us', 'main us', 'clients CPU us'],
    ...['x base', 'x p50', 'x p99', 'x CPU', 'x main', 'wrong'],
  ])
  t.deepEqual(row, [
    ...['engine server', '30000', '25 %', '10.0', '100.0', '20.0', '5.0', '6.0'],
    ...['1.10x', '1.20x', '1.30x', '1.40x', '0.50x', '1 of 10'],
  ])
})

test('a table that is too wide for a terminal breaks its heads, and then itself', (t) => {
  const head = ['frames', 'requests a second', 'CPU us', 'x base']
  const rows = [
    ['64 B', '12', '3.4', '1.00x'],
    ['65536 B', '5', '1234.5', '2.00x'],
  ]
  const lines = (columns: number): string[] => table(head, rows, columns).split('\n')
  t.is(lines(Infinity)[0], 'frames   requests a second  CPU us  x base')
  t.deepEqual(lines(40), [
    '         requests               ',
    '                a              x',
    'frames     second  CPU us   base',
    '-------  --------  ------  -----',
    '64 B           12     3.4  1.00x',
    '65536 B         5  1234.5  2.00x',
  ])
  t.deepEqual(
    table(head, rows, 20)
      .split('\n\n')
      .map((part) => part.split('\n').at(-1)),
    ['65536 B         5', '65536 B  1234.5', '65536 B  2.00x'],
  )
})

test('what rows of the self-check have in common stands above them', (t) => {
  const rows = [
    ['round trip over a socket, 64 B, mean', '1 us'],
    ['round trip over a socket, 64 B, p99', '2 us'],
    ['pipe: not available'],
    ['pool, of 10', '98 %'],
  ]
  t.deepEqual(grouped(rows), [
    ['round trip over a socket, 64 B'],
    ['  mean', '1 us'],
    ['  p99', '2 us'],
    ['pipe: not available'],
    ['pool, of 10', '98 %'],
  ])
})
