/** When a shard has clearly more connections than its share. */
import test from 'ava'
import { ShardLoads } from '../../engine/protocol/shard-loads.js'
import { OwnLoad } from '../../workers/own-load.js'

/** Shards with so many connections; undefined: one that is not up. */
function shardsWith(...connections: readonly (number | undefined)[]): ShardLoads {
  const loads = ShardLoads.create(connections.length)
  for (const [shard, count] of connections.entries()) {
    if (count === undefined) continue
    loads.add(shard)
    loads.addConnections(shard, count)
  }
  return loads
}

function isAhead(first: number, ...others: readonly (number | undefined)[]): boolean {
  return new OwnLoad(shardsWith(first, ...others), 0).wouldBeAhead(true)
}

test('a shard alone is never ahead', (t) => {
  t.false(isAhead(1_000))
  t.false(isAhead(1_000, undefined))
})

test('a shard is ahead by more than two connections', (t) => {
  t.false(isAhead(3, 0))
  t.true(isAhead(4, 0))
})

test('a shard is ahead by more than a sixth of the average, if that is more', (t) => {
  t.false(isAhead(115, 85))
  t.true(isAhead(117, 83))
})

test('a shard that has less than its share is not ahead, whatever the others have', (t) => {
  t.false(isAhead(0, 100, 0))
  t.true(isAhead(100, 0, 0))
})

test('what leaves a shard still counts as one of all, and what comes to one as its own', (t) => {
  const loads = shardsWith(4, 0)
  const [first, second] = [new OwnLoad(loads, 0), new OwnLoad(loads, 1)]
  for (let i = 0; i < 4; i++) first.offered()
  t.false(first.wouldBeAhead(true), 'five of nine')
  loads.addComing(1, 8)
  t.true(second.wouldBeAhead(true))
  for (let i = 0; i < 4; i++) first.answered()
  t.true(first.wouldBeAhead(true))
})

test('a shard that is lost counts no more, and one in its place begins with nothing', (t) => {
  const loads = shardsWith(4, 0)
  const own = new OwnLoad(loads, 0)
  loads.remove(1)
  t.false(own.wouldBeAhead(true))
  loads.addComing(1, 3)
  loads.addLeaving(1, 3)
  loads.add(1)
  t.is(loads.connectionsOf(1), 0)
  t.true(own.wouldBeAhead(true))
})

test('where connections go as fast as they come, only many more than the others are too many', (t) => {
  const loads = shardsWith(8, 8)
  const own = new OwnLoad(loads, 0)
  for (let i = 0; i < 128; i++) {
    own.opened()
    own.wouldBeAhead(true)
    own.closed()
  }
  loads.addConnections(0, 8)
  t.false(own.wouldBeAhead(true))
  loads.addConnections(0, 100)
  t.true(own.wouldBeAhead(true))
})

test('where they stay again, a few more are too many again', (t) => {
  const loads = shardsWith(8, 8)
  const own = new OwnLoad(loads, 0)
  for (let i = 0; i < 128; i++) own.wouldBeAhead(true)
  loads.addConnections(0, 8)
  t.false(own.wouldBeAhead(true))
  for (let i = 0; i < 128; i++) {
    loads.addConnections(i % 2, 1)
    own.wouldBeAhead(true)
  }
  loads.addConnections(0, 30)
  t.true(own.wouldBeAhead(true))
})

test('what main handles is handed on only by a shard that is far ahead', (t) => {
  const near = new OwnLoad(shardsWith(63, 0), 0)
  t.false(near.wouldBeAhead(false))
  t.true(near.wouldBeAhead(true))
  t.true(new OwnLoad(shardsWith(200, 0), 0).wouldBeAhead(false))
})
