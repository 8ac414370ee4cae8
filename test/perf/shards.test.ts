/** Servers that keep shards busy: baselines that speak the framings, and runs that count all frames. */
import test from 'ava'
import { calibrate } from '../../perf/harness/work.js'
import { encode, parserOf, wireFraming } from '../../perf/programs/wire-framing.js'
import { runShards } from '../../perf/scenarios/shards.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000

for (const framing of ['length', 'line', 'content-length'] as const) {
  test(`a baseline reads what it has written with ${framing}, in one piece or byte by byte`, (t) => {
    const frames = ['one', '', 'x'.repeat(300), 'four'].map((text) => Buffer.from(text))
    const bytes = Buffer.concat(frames.map((frame) => encode(framing, frame)))
    for (const step of [bytes.length, 1, 7]) {
      const got: string[] = []
      const parser = parserOf(framing, (frame) => got.push(frame.toString()))
      for (let at = 0; at < bytes.length; at += step) parser.push(bytes.subarray(at, at + step))
      t.deepEqual(got, frames.map(String))
    }
  })
}

test('a baseline has no other framings', (t) => {
  t.is(wireFraming(undefined), 'length')
  t.throws(() => wireFraming('nul'), { message: /no framing nul/ })
})

test('a run has all frames, whatever keeps the shards busy', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    for (const load of ['line', 'handlers'] as const) {
      const { rows, figures, released } = await runShards({
        ...{ folder: folder.path, rounds: 1, load, shards: [2], bytes: 64, batch: 5, workMicros: 10 },
        ...{ laps: Math.round(10 * calibrate()), warmUp: 20, seconds: 0.001, connections: 3 },
        ...{ wake: undefined, inlineWrites: undefined, pinTo: undefined },
      })
      t.true(released)
      const engine = load === 'handlers' ? 'engine, handler module' : 'engine'
      t.deepEqual(
        rows.map(({ name }) => name),
        ['net', 'net, cluster of 2', `${engine}, 2 shards`],
      )
      for (const { count, wrong } of rows) {
        t.is(wrong, 0)
        t.true(count >= 3)
      }
      const contenders = new Set(figures.map(({ contender }) => contender))
      t.deepEqual([...contenders], ['net', 'net, cluster', engine])
      for (const { at } of figures) t.deepEqual([at['shards'], at['load']], [2, load])
    }
  } finally {
    await folder.remove()
  }
})
