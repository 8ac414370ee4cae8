/** What is told of a main thread that is blocked: what happened meanwhile, and how long it took afterwards. */
import test from 'ava'
import { blockedRequests, leftDuring } from '../../perf/harness/blocks.js'
import { transports } from '../../perf/harness/meeting-place.js'
import { blockFor } from '../../perf/programs/main-blocks.js'
import { runBusyMain } from '../../perf/scenarios/busy-main.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000

/** Of all that there are: it has both kinds of clients, and of senders. */
const last = transports.slice(-1)

const request = (sent: number, answered: number) => ({ due: sent, sent, answered })

test('answers count as in a block if they came while it lasted, and recovery is until the last that waited', (t) => {
  const blocks = [
    { from: 10, to: 20 },
    { from: 30, to: 40 },
  ]
  const times = [
    request(1, 2),
    // In the first block, and after it; the last of these was sent before its end.
    request(9, 12),
    request(12, 21),
    request(19, 25),
    // Sent when it was over, so nobody waited for it.
    request(20, 29),
    // Nothing waits for the end of the second.
    request(30, 31),
    request(50, 51),
  ]
  const { answersPerSecond, recoveryMs, longestRecoveryMs } = blockedRequests(blocks, times)
  t.is(answersPerSecond, (2 * 1_000) / 20)
  t.deepEqual([recoveryMs, longestRecoveryMs], [2.5, 5])
})

test('blocks before the first request and after the last answer tell nothing', (t) => {
  const blocks = [
    { from: 0, to: 5 },
    { from: 10, to: 20 },
    { from: 30, to: 40 },
  ]
  const { answersPerSecond, recoveryMs } = blockedRequests(blocks, [request(6, 8), request(15, 22)])
  t.deepEqual([answersPerSecond, recoveryMs], [0, 2])
})

test('of a burst that part has left which was there when its block ended', (t) => {
  const blocks = [
    { from: 10, to: 20 },
    { from: 50, to: 60 },
    { from: 90, to: 99 },
  ]
  const { percent, restMs } = leftDuring(blocks, [11, 12, 13, 24, 51, 62, 63, 68, 91, 91, 92, 93])
  t.is(percent, 75)
  t.is(restMs, 4)
})

test('a block lasts as long as it was to', (t) => {
  const { from, to } = blockFor(2)
  t.true(to - from >= 2)
})

test('a run has all answers and all frames, whoever is blocked, and releases everything', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const reports = await runBusyMain({
      folder: folder.path,
      rounds: 1,
      transports: last,
      blocks: [2, 4],
      duty: 0.5,
      rateHz: 500,
      seconds: 0.05,
      burstSizes: [8_192, 65_536],
      bursts: 2,
      connections: 2,
      shards: 1,
      wake: undefined,
      inlineWrites: undefined,
      pinTo: undefined,
    })
    t.deepEqual(
      reports.map(({ blockMs }) => blockMs),
      [2, 4],
    )
    for (const { servers, senders, released, figures, blockMs } of reports) {
      t.true(released)
      t.is(servers.length, 1 + 2 * last.length)
      for (const { count, wrong } of servers) t.deepEqual([count, wrong], [25, 0])
      for (const { burstBytes, rows } of senders) {
        t.is(rows.length, 2 + 2 * last.length)
        for (const { frames, verified } of rows) t.deepEqual([frames, verified], [(2 * 2 * burstBytes) / 4_096, true])
      }
      t.is(senders.length, 2)
      for (const { at } of figures) t.is(at['block ms'], blockMs)
    }
  } finally {
    await folder.remove()
  }
})
