/** Servers that work for their answers: the work cannot be had without doing it, and a run counts all of it. */
import test from 'ava'
import { answerer, work, workRequests } from '../../perf/harness/work.js'
import { runHandlerRequests } from '../../perf/scenarios/handler-requests.js'
import { runHandlerRoundTrips } from '../../perf/scenarios/handler-round-trips.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000
const COUNT = 40
const NO_HEADER = 0
const byDefault = { wake: undefined, inlineWrites: undefined, pinTo: undefined }

test('work that is done in parts comes to the same, and no work to the seed', (t) => {
  t.is(work(7, 0), 7)
  t.is(work(work(7, 30), 12), work(7, 42))
  t.not(work(7, 42), work(8, 42))
})

test('a server that works gives the answer that its client knows, and an echo gives another', (t) => {
  const ask = workRequests(Buffer.alloc(64), NO_HEADER, 1_000)
  const results = new Set<string>()
  for (let number = 0; number < COUNT; number++) {
    const { request, answer } = ask(number)
    const asked = Buffer.from(request)
    t.deepEqual(answerer('work')(request), answer)
    t.deepEqual(request, asked)
    t.notDeepEqual(answerer('echo')(request), answer)
    results.add(answer.toString('hex'))
  }
  t.true(results.size > 10)
})

test('a run has all answers of all rounds, whoever works for them, and releases everything', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const works = [0, 100].map((laps) => ({ micros: laps, laps, count: COUNT, warmUp: 5 }))
    const plan = { ...byDefault, folder: folder.path, rounds: 2, connections: 3, shards: [2], works }
    const reports = await runHandlerRequests(plan)
    t.is(reports.length, works.length)
    for (const { rows, released } of reports) {
      t.true(released)
      t.deepEqual(
        rows.map(({ name, count, wrong }) => [name, count, wrong]),
        ['main handler', 'handler module, 2 shards', 'net', 'net, cluster of 2'].map((name) => [name, 2 * COUNT, 0]),
      )
      for (const { idle } of rows) t.true(idle !== undefined && idle.maxMs >= idle.p50Ms)
    }
  } finally {
    await folder.remove()
  }
})

test('round trips to a handler module are counted beside net', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const plan = { ...byDefault, folder: folder.path, rounds: 1, count: COUNT, warmUp: 5 }
    const { rows, released } = await runHandlerRoundTrips('module', plan)
    t.true(released)
    t.deepEqual(
      rows.map(({ name, count, wrong }) => [name, count, wrong]),
      ['net to net', 'engine to handler module'].map((name) => [name, COUNT, 0]),
    )
  } finally {
    await folder.remove()
  }
})
