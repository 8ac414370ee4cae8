/** An open loop sends what is due, whatever became of what it sent before, and counts from when each was due. */
import test from 'ava'
import { transports } from '../../perf/harness/meeting-place.js'
import { canCountResources } from '../../perf/harness/resource-counts.js'
import { OpenLoop } from '../../perf/programs/open-loop.js'
import { runOpenLoop } from '../../perf/scenarios/open-loop.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000

/** A loop at 100 requests a second from 1,000 ms on, with a clock that the test sets. */
function loopOf(count: number, connections = 1) {
  const clock = { now: 1_000 }
  const sent: (readonly [number: number, connection: number])[] = []
  const loop = new OpenLoop(
    { count, rateHz: 100, connections },
    () => clock.now,
    (number, connection) => sent.push([number, connection]),
  )
  const took = () => Array.from(loop.times.answered, (at, number) => at - (loop.times.due[number] ?? 0))
  const late = () => Array.from(loop.times.sent, (at, number) => at - (loop.times.due[number] ?? 0))
  return { loop, clock, sent, took, late }
}

test('a peer that stalls delays every answer from when its request was due', (t) => {
  const { loop, clock, sent, took, late } = loopOf(5)
  for (let number = 0; number < 5; number++) {
    clock.now = 1_000 + number * 10
    loop.sendDue()
    t.is(sent.length, number + 1)
  }
  clock.now = 1_100
  for (let number = 0; number < 5; number++) t.is(loop.answered(0), number)
  t.true(loop.isOver)
  t.deepEqual(took(), [100, 90, 80, 70, 60])
  t.deepEqual(late(), [0, 0, 0, 0, 0])
})

test('a sender that stalls sends all that has become due at once, and none of them counts as shorter', (t) => {
  const { loop, clock, sent, took, late } = loopOf(4)
  clock.now = 1_025
  loop.sendDue()
  t.deepEqual(sent, [
    [0, 0],
    [1, 0],
    [2, 0],
  ])
  t.deepEqual(late().slice(0, 3), [25, 15, 5])
  clock.now = 1_026
  for (let number = 0; number < 3; number++) loop.answered(0)
  t.deepEqual(took().slice(0, 3), [26, 16, 6])
  t.false(loop.isOver)
})

test('due times do not drift, however late each request was sent', (t) => {
  const { loop, clock } = loopOf(4)
  for (const now of [1_009, 1_019, 1_029, 1_039]) {
    clock.now = now
    loop.sendDue()
  }
  t.deepEqual([...loop.times.due], [1_000, 1_010, 1_020, 1_030])
  t.deepEqual([...loop.times.sent], [1_009, 1_019, 1_029, 1_039])
})

test('connections take turns, and each answer is that to the oldest request of its connection', (t) => {
  const { loop, clock, sent } = loopOf(5, 2)
  clock.now = 2_000
  loop.sendDue()
  t.deepEqual(
    sent.map(([, connection]) => connection),
    [0, 1, 0, 1, 0],
  )
  t.deepEqual(
    [1, 0, 0, 1, 0].map((connection) => loop.answered(connection)),
    [1, 0, 2, 3, 4],
  )
})

test('a run has all answers at all rates, whatever carries them, and releases everything', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const rates = [20, 2_000]
    const reports = await runOpenLoop({
      folder: folder.path,
      bytes: 64,
      rounds: 1,
      transports,
      rates,
      seconds: 0.1,
      warmUp: 5,
      connections: 3,
      shards: 1,
      wake: undefined,
      inlineWrites: undefined,
      pinTo: undefined,
    })
    t.deepEqual(
      reports.map(({ rateHz }) => rateHz),
      rates,
    )
    for (const { rows, released, figures, rateHz } of reports) {
      t.true(released)
      t.is(rows[0]?.name, 'net to net')
      t.true(rows.length > transports.length)
      for (const { count, wrong, cpuMicros, p50Micros, lateMicros } of rows) {
        t.deepEqual([count, wrong], [Math.round(rateHz * 0.1), 0])
        t.true(p50Micros > lateMicros)
        t.is(cpuMicros !== undefined, canCountResources)
      }
      for (const { at } of figures) t.deepEqual(at, { bytes: 64, rate: rateHz })
    }
  } finally {
    await folder.remove()
  }
})
