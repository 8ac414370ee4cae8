/** The self-check's rows of speed. */
import test from 'ava'
import {
  largeFramesRow,
  latencyRows,
  smallFramesRow,
  timesBaseline,
  underBaseline,
  underMicros,
} from '../../perf/report/speed-rows.js'
import { judge } from '../../perf/report/verdict.js'
import type { LatencyReport, LatencyRow } from '../../perf/scenarios/latency.js'
import type { ThroughputReport, ThroughputRow } from '../../perf/scenarios/throughput.js'

const latencyRow = (name: string, meanMicros: number): LatencyRow => ({
  name,
  meanMicros,
  p50Micros: meanMicros - 1,
  p99Micros: meanMicros * 2,
  cpuMicros: undefined,
  ratio: NaN,
  p50Ratio: NaN,
  p99Ratio: NaN,
  cpuRatio: undefined,
  count: 10,
  wrong: 0,
})

const throughputRow = (name: string, framesPerSecond: number): ThroughputRow => ({
  name,
  framesPerSecond,
  megabytesPerSecond: framesPerSecond / 1000,
  mainNanosPerFrame: undefined,
  receiverNanosPerFrame: undefined,
  cpuMs: undefined,
  timesNaive: NaN,
  timesCorked: NaN,
  verified: true,
})

const trips: LatencyReport = {
  rows: [latencyRow('net to net', 40), latencyRow('engine to engine, shm', 30)],
  released: true,
  figures: [],
  fallback: undefined,
}

const poured: ThroughputReport = {
  bytes: 64,
  rows: [
    throughputRow('net naive', 100_000),
    throughputRow('net corked', 400_000),
    throughputRow('engine to engine, shm', 2_000_000),
  ],
  released: true,
  figures: [],
  fallback: undefined,
}

test('mean, p50 and p99 of a round trip stand beside the baseline, and the mean has the target', (t) => {
  const rows = latencyRows('round trip', trips, underMicros(100))
  t.deepEqual(
    rows.map(({ metric, measured, baseline, ratio }) => [metric, measured, baseline, ratio]),
    [
      ['round trip, 64 B, engine to engine, shm, mean', '30.0 us', '40.0 us', '0.75x'],
      ['round trip, 64 B, engine to engine, shm, p50', '29.0 us', '39.0 us', '0.74x'],
      ['round trip, 64 B, engine to engine, shm, p99', '60.0 us', '80.0 us', '0.75x'],
    ],
  )
  t.deepEqual(
    rows.map(({ target }) => target?.text),
    ['< 100 us', undefined, undefined],
  )
})

test('a target is a time, or a part of the time of the baseline', (t) => {
  const met = (goal: ReturnType<typeof underMicros>): string | undefined =>
    judge(latencyRows('round trip', trips, goal), [], { judgesSpeed: true }).cells[0]?.[3]
  t.is(met(underMicros(31)), 'yes')
  t.is(met(underMicros(30)), 'MISSED')
  t.is(met(underBaseline(0.8)), 'yes')
  t.is(met(underBaseline(0.7)), 'MISSED')
})

test('small frames are compared with one write a frame, large ones with the better baseline', (t) => {
  const small = smallFramesRow('frames a second', poured, timesBaseline(30))
  t.like(small, {
    metric: 'frames a second, engine to engine, shm',
    measured: '2000 k',
    value: 20,
    baseline: '100 k',
    ratio: '20.00x',
  })
  t.like(largeFramesRow('MB a second', poured), { measured: '2000 MB/s', value: 5, baseline: '400 MB/s' })
})

test('without shared memory the rows give the reason, no figures, and no missed target', (t) => {
  const fallback = 'nothing makes the system calls'
  const rows = [
    ...latencyRows('round trip', { ...trips, fallback }, underBaseline(0.8)),
    smallFramesRow('frames a second', { ...poured, fallback }, timesBaseline(30)),
    largeFramesRow('MB a second', { ...poured, fallback }, timesBaseline(5)),
  ]
  const { cells, lines, exitCode } = judge(rows, [], { judgesSpeed: true })
  t.is(cells.length, 3)
  for (const row of cells) {
    t.is(row.length, 1)
    t.regex(row.join(), /: not available: nothing makes the system calls$/)
  }
  t.is(exitCode, 0)
  t.deepEqual(lines, ['All counts, checksums and the ledger are right.'])
})
