/** Connections of one listener on several shards: never more than `maxConnections`. */
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { HandlerCounts } from '../../../engine/protocol/handler-counts.js'
import { signal } from '../../helpers/turns.js'

test('all shards together open as many as allowed, and refuse the rest', (t) => {
  const counts = HandlerCounts.forShards(3)
  t.true(counts.tryOpen(0, 2))
  t.true(counts.tryOpen(2, 2))
  t.false(counts.tryOpen(1, 2))
  t.deepEqual(counts.sum, { accepted: 2, open: 2, refused: 1 })
  t.deepEqual([counts.openOn(0), counts.openOn(1), counts.openOn(2)], [1, 0, 1])
  counts.closed(0)
  t.true(counts.tryOpen(1, 2))
  t.deepEqual(counts.sum, { accepted: 3, open: 2, refused: 1 })
})

test('one that is cut before it was served counts as refused, and not as accepted', (t) => {
  const counts = HandlerCounts.forShards(1)
  t.true(counts.tryOpen(0, 1))
  counts.refuseOpened(0)
  t.deepEqual(counts.sum, { accepted: 0, open: 0, refused: 1 })
  t.true(counts.tryOpen(0, 1))
})

test('a lost shard has none open, and the others keep theirs', (t) => {
  const counts = HandlerCounts.forShards(2)
  for (const shard of [0, 0, 1]) t.true(counts.tryOpen(shard, 10))
  counts.lost(0)
  t.deepEqual(counts.sum, { accepted: 3, open: 1, refused: 0 })
})

test('every thread sees the same counts', (t) => {
  const counts = HandlerCounts.forShards(2)
  const same = new HandlerCounts(counts.words)
  counts.tryOpen(0, 5)
  t.true(same.tryOpen(1, 5))
  t.deepEqual(counts.sum, same.sum)
})

test('threads that open at the same time never have more than allowed', async (t) => {
  t.timeout(20_000)
  const shards = 3
  const most = 5
  const counts = HandlerCounts.forShards(shards)
  const url = new URL('../../../engine/protocol/handler-counts.js', import.meta.url).href
  const program = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(url)}).then(({ HandlerCounts }) => {
      const { words, shard, most, tries } = workerData
      const counts = new HandlerCounts(words)
      let open = 0, opened = 0, worst = 0
      for (let i = 0; i < tries; i++) {
        if (counts.tryOpen(shard, most)) { open++; opened++; worst = Math.max(worst, open) }
        if (open > 0 && i % 3 !== 0) { counts.closed(shard); open-- }
      }
      for (; open > 0; open--) counts.closed(shard)
      parentPort.postMessage({ opened, worst })
    })`
  const tries = 20_000
  const results = await Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const worker = new Worker(program, { eval: true, workerData: { words: counts.words, shard, most, tries } })
      const told = signal<{ opened: number; worst: number }>()
      worker.once('message', told.resolve)
      const result = await told.promise
      await worker.terminate()
      return result
    }),
  )
  const { accepted, open, refused } = counts.sum
  t.is(open, 0)
  t.is(
    accepted,
    results.reduce((sum, { opened }) => sum + opened, 0),
  )
  t.is(accepted + refused, shards * tries)
  t.true(results.every(({ worst }) => worst <= most))
})
