/** Whether hops explain a round trip, and what the scenario `trace` prints of that. */
import test from 'ava'
import { hopNames, type HopStats } from '../../engine/common/hop-trace.js'
import { traceTable } from '../../perf/report/trace-table.js'
import { accountOf, meansOfRounds, type HopAccount } from '../../perf/scenarios/hop-account.js'

type Told = Partial<Record<(typeof hopNames)[number], readonly [count: number, meanMicros: number]>>

/** As an engine tells it: all hops, also those that were not. */
function told(hops: Told): readonly HopStats[] {
  return hopNames.map((hop) => {
    const [count, meanMicros] = hops[hop] ?? [0, 0]
    return { hop, count, meanMicros, p50Micros: meanMicros, p99Micros: 2 * meanMicros, maxMicros: 3 * meanMicros }
  })
}

const trip = (micros: number) => ({ meanMicros: micros, p50Micros: micros, p99Micros: micros })

const BY_SHARD: Told = {
  sendToFlush: [10, 1],
  flushToShard: [10, 8],
  shardToWritten: [10, 4],
  writtenToRead: [10, 30],
  readToMain: [10, 6],
  mainToHost: [10, 1],
  hostToSend: [9, 500],
}

function account(near: Told, far: Told = {}, trips = 10, micros = 52): HopAccount {
  return accountOf({ near: told(near), far: told(far) }, trips, trip(micros), trip(48))
}

test('what the host does between two round trips is no part of either', (t) => {
  const { rows, sumMicros, explained, isExplained, isComplete } = account(BY_SHARD)
  t.deepEqual(
    rows.map(({ name }) => name),
    ['sendToFlush', 'flushToShard', 'shardToWritten', 'writtenToRead', 'readToMain', 'mainToHost'],
  )
  t.is(sumMicros, 50)
  t.is(explained, 50 / 52)
  t.true(isExplained && isComplete)
  t.is(rows[1]?.share, 8 / 52)
})

test('a hop that some round trips have counts for those', (t) => {
  const { sumMicros, isComplete } = account({
    ...BY_SHARD,
    flushToWritten: [5, 2],
    flushToShard: [5, 8],
    shardToWritten: [5, 4],
    readToMain: [5, 6],
  })
  t.is(sumMicros, 1 + 1 + 4 + 2 + 30 + 3 + 1)
  t.true(isComplete)
})

test('what the peer tells divides the time until the answer, and the rest was on the way', (t) => {
  const far: Told = { ...BY_SHARD, hostToSend: [10, 2], writtenToRead: [10, 700] }
  const { rows, sumMicros } = account(BY_SHARD, far)
  t.is(sumMicros, 50)
  t.deepEqual(
    rows.filter(({ side }) => side === 'peer').map(({ name, meanMicros }) => [name, meanMicros]),
    [
      ['readToMain', 6],
      ['mainToHost', 1],
      ['hostToSend', 2],
      ['sendToFlush', 1],
      ['flushToShard', 8],
      ['shardToWritten', 4],
      ['on the way, both directions', 8],
    ],
  )
})

test('hops that add up to much more or less do not explain it', (t) => {
  t.false(account(BY_SHARD, {}, 10, 56).isExplained)
  t.true(account(BY_SHARD, {}, 10, 55).isExplained)
  t.true(account(BY_SHARD, {}, 10, 46).isExplained)
  t.false(account(BY_SHARD, {}, 10, 45).isExplained)
})

test('counts are wrong if a hop is missing somewhere, or if many round trips were left out', (t) => {
  t.false(account({ ...BY_SHARD, shardToWritten: [9, 4] }).isComplete)
  t.false(account({ ...BY_SHARD, writtenToRead: [9, 4] }).isComplete)
  t.false(account({ ...BY_SHARD, flushToWritten: [1, 4] }).isComplete)
  t.false(account({}).isComplete)
  t.false(account(BY_SHARD, {}, 11).isComplete)
  t.false(account(BY_SHARD, {}, 9).isComplete)
})

test('the mean of a round is told from those of all until then', (t) => {
  const means = meansOfRounds([told({ sendToFlush: [10, 2] }), told({ sendToFlush: [30, 4] })])
  t.deepEqual([...means], [['sendToFlush', [2, 5]]])
})

test('the table ends with the sum, both measurements, and whether the one explains the other', (t) => {
  const row = { name: 'engine to net', wrong: 0, ...account(BY_SHARD) }
  const common = { transport: 'unix', bytes: 64, released: true, fallback: undefined, figures: [] } as const
  const lines = traceTable({ ...common, rows: [row] })
    .trimEnd()
    .split('\n')
  const cells = lines.map((line) => line.trim().split(/ {2,}/))
  t.deepEqual(cells[0], ['64 B over unix, engine to net', 'count', 'mean us', 'p50 us', 'p99 us', 'share'])
  t.deepEqual(cells[3], ['flushToShard', '10', '8.0', '8.0', '16.0', '15.4 %'])
  t.deepEqual(cells.slice(-4, -1), [
    ['sum of hops', '10', '50.0', '-', '-', '96.2 %'],
    ['round trip as measured with the trace', '10', '52.0', '52.0', '52.0', '100.0 %'],
    ['round trip with the trace off', '10', '48.0', '48.0', '48.0', '92.3 %'],
  ])
  t.is(lines.at(-1), 'the hops explain 96.2 % of the round trip: within 10 %')

  const worse = { name: 'engine to net', wrong: 2, ...account(BY_SHARD, {}, 10, 100) }
  t.regex(
    traceTable({ ...common, rows: [worse] }),
    /explain 50.0 % of the round trip: NOT within 10 %; COUNTS ARE WRONG \(2 answers\)/,
  )
})
