import test from 'ava'
import {
  AcceptCounts,
  AcceptLogReader,
  AcceptLogWriter,
  createAcceptLog,
  STOCK_LANES,
} from '../../../engine/protocol/accept-log.js'

test('entries are read once, in order, round after round', (t) => {
  const memory = createAcceptLog()
  const writer = new AcceptLogWriter(memory)
  const reader = new AcceptLogReader(memory)
  let written = 0
  const read: [number, number][] = []
  for (const count of [1, STOCK_LANES, 0, 7, STOCK_LANES]) {
    for (let i = 0; i < count; i++) writer.push(written % 3, written++)
    reader.read((listenerId, laneId) => read.push([listenerId, laneId]))
    t.is(read.length, written)
  }
  t.deepEqual(
    read,
    Array.from({ length: written }, (_, i) => [i % 3, i]),
  )
})

test('a reader that reads on from within its callback gets the entries behind it, each once', (t) => {
  const memory = createAcceptLog()
  const writer = new AcceptLogWriter(memory)
  const reader = new AcceptLogReader(memory)
  for (let laneId = 0; laneId < 5; laneId++) writer.push(1, laneId)
  const read: number[] = []
  reader.read((_, laneId) => {
    read.push(laneId)
    reader.read((__, behind) => read.push(behind))
  })
  t.deepEqual(read, [0, 1, 2, 3, 4])
})

test('both sides agree on the number of untaken connections, also when the counts wrap', (t) => {
  const shard = new AcceptCounts()
  const main = new AcceptCounts(shard.words)
  shard.words.fill(2 ** 31 - 1)
  for (let i = 0; i < 3; i++) shard.addAccepted()
  t.is(main.untaken, 3)
  main.addTaken()
  t.is(shard.untaken, 2)
})
