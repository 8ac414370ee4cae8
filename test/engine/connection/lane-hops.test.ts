/** The hops of one connection: what follows from the times of main and those that the shard has left in the lane. */
import test from 'ava'
import fc from 'fast-check'
import { LaneHops } from '../../../engine/connection/lane-hops.js'
import { lane } from '../../../engine/protocol/ring-layout.js'
import { ManualHops } from '../../helpers/manual-hops.js'
import { holds } from '../../helpers/property.js'

const MINUTE = 60 * 1e7

class Traced extends ManualHops {
  readonly words = new Int32Array(64)
  readonly hops = new LaneHops(this.trace, { load: (word) => this.words[word] ?? 0 })

  /** Something happens so many ticks later. */
  after(ticks: number, what: () => void): void {
    this.at += ticks
    what()
  }

  stamp(word: number): () => void {
    return () => {
      this.words[word] = this.at | 0
    }
  }

  /** Main sends, flushes, and the shard writes. */
  ask(): void {
    this.hops.sent(this.at)
    this.after(3, () => this.hops.flushed())
    this.after(80, this.stamp(lane.OUT_TAKEN_AT))
    this.after(30, this.stamp(lane.OUT_WRITTEN_AT))
  }

  /** The shard reads the answer and wakes main, which finds it. */
  answer(): void {
    this.after(300, this.stamp(lane.IN_READ_AT))
    this.after(60, this.trace.woken)
    this.after(5, () => {
      const lookedAt = this.at
      this.at += 4
      this.hops.arrived(lookedAt)
    })
  }
}

const BY_SHARD = {
  sendToFlush: 3,
  flushToShard: 80,
  shardToWritten: 30,
  writtenToRead: 300,
  readToMain: 60,
  mainToHost: 9,
}

test('a round trip by way of the shard has six hops, which add up to it', (t) => {
  const traced = new Traced()
  const sentAt = traced.at
  traced.ask()
  traced.answer()
  t.deepEqual(traced.totals(), BY_SHARD)
  t.is(
    Object.values(BY_SHARD).reduce((sum, ticks) => sum + ticks, 0),
    traced.at - sentAt,
  )
})

test('what the host does between a frame and its next send is a hop of its own, from the second round trip on', (t) => {
  const traced = new Traced()
  traced.ask()
  traced.answer()
  traced.after(17, () => traced.ask())
  traced.answer()
  t.deepEqual(traced.counts(), {
    sendToFlush: 2,
    flushToShard: 2,
    shardToWritten: 2,
    writtenToRead: 2,
    readToMain: 2,
    mainToHost: 2,
    hostToSend: 1,
  })
  t.is(traced.totals().hostToSend, 17)
})

test('what main has written itself went nowhere in between', (t) => {
  const traced = new Traced()
  traced.hops.sent(traced.at)
  traced.after(3, () => traced.hops.flushed())
  traced.after(20, () => traced.hops.written())
  traced.answer()
  t.deepEqual(traced.totals(), {
    sendToFlush: 3,
    flushToWritten: 20,
    writtenToRead: 300,
    readToMain: 60,
    mainToHost: 9,
  })
})

test('what main has read itself was not waited for', (t) => {
  const traced = new Traced()
  traced.ask()
  traced.answer()
  traced.trace.reset()
  traced.ask()
  traced.after(100, () => {
    const lookedAt = traced.at
    traced.at += 2
    traced.hops.arrived(lookedAt)
  })
  t.deepEqual(traced.totals(), {
    hostToSend: 0,
    sendToFlush: 3,
    flushToShard: 80,
    shardToWritten: 30,
    writtenToRead: 100,
    mainToHost: 2,
  })
})

test('what main has read itself was not waited for, however long ago the shard has read', (t) => {
  const traced = new Traced()
  for (const minutes of [1, 3, 5, 7, 9]) {
    traced.ask()
    traced.answer()
    traced.trace.reset()
    // Main makes all round trips of some minutes.
    traced.after(minutes * MINUTE, () => traced.hops.sent(traced.at))
    traced.after(3, () => traced.hops.flushed())
    traced.after(20, () => traced.hops.written())
    traced.after(100, () => traced.hops.arrived(traced.at))
    const { flushToWritten, writtenToRead, readToMain } = traced.totals()
    t.deepEqual([flushToWritten, writtenToRead, readToMain], [20, 100, undefined], String(minutes))
  }
})

test('main that was awake before the shard had read was not woken', (t) => {
  const traced = new Traced()
  traced.ask()
  traced.after(10, traced.trace.woken)
  traced.after(40, traced.stamp(lane.IN_READ_AT))
  traced.after(6, () => traced.hops.arrived(traced.at))
  t.like(traced.totals(), { writtenToRead: 50, readToMain: 0, mainToHost: 6 })
})

test('main that has begun to look before the question was written may find the answer all the same', (t) => {
  const traced = new Traced()
  const lookedAt = traced.at
  traced.ask()
  traced.after(300, traced.stamp(lane.IN_READ_AT))
  traced.after(7, () => traced.hops.arrived(lookedAt))
  t.deepEqual(traced.totals(), { ...BY_SHARD, readToMain: 0, mainToHost: 7 })
})

test('a frame that answers nothing is no round trip', (t) => {
  const traced = new Traced()
  traced.answer()
  traced.ask()
  traced.answer()
  traced.answer()
  t.like(traced.counts(), { sendToFlush: 1, mainToHost: 1, hostToSend: 1 })
})

test('a round trip is left out if the shard has not noted yet that it wrote, or if it took minutes', (t) => {
  const early = new Traced()
  early.ask()
  early.answer()
  early.trace.reset()
  early.hops.sent(early.at)
  early.after(3, () => early.hops.flushed())
  early.answer()
  t.deepEqual(early.counts(), {})

  const late = new Traced()
  late.ask()
  late.after(4 * MINUTE, () => late.answer())
  t.deepEqual(late.counts(), {})
  late.ask()
  late.answer()
  t.like(late.counts(), { sendToFlush: 1, mainToHost: 1 })
})

test('the last of several flushes counts, and the hops add up to the time from its send', (t) => {
  const traced = new Traced()
  traced.ask()
  traced.after(50, () => traced.ask())
  traced.answer()
  t.deepEqual(traced.totals(), BY_SHARD)
})

test('what is sent before the answer to something else is found belongs to the next round trip', (t) => {
  const traced = new Traced()
  traced.ask()
  traced.answer()
  traced.trace.reset()
  traced.after(17, () => traced.ask())
  traced.after(300, traced.stamp(lane.IN_READ_AT))
  traced.after(60, traced.trace.woken)
  // In one look at the bells: another connection's handler sends by this one, and then its answer is found.
  traced.after(5, () => traced.hops.sent(traced.at))
  traced.after(4, () => traced.hops.arrived(traced.at))
  t.deepEqual(traced.totals(), { hostToSend: 17, ...BY_SHARD })
  traced.trace.reset()
  traced.after(6, () => traced.hops.flushed())
  traced.after(80, traced.stamp(lane.OUT_TAKEN_AT))
  traced.after(30, traced.stamp(lane.OUT_WRITTEN_AT))
  traced.answer()
  t.deepEqual(traced.totals(), { ...BY_SHARD, sendToFlush: 10 })
})

const ticks = fc.integer({ min: 1, max: 1_000_000 })

test('hops add up whenever the clock began, and whichever time it is', (t) => {
  holds(
    t,
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), ticks, ticks, ticks, ticks, ticks, (start, a, b, c, d, e) => {
      const traced = new Traced()
      traced.at = start + 1
      const sentAt = traced.at
      traced.hops.sent(traced.at)
      traced.after(a, () => traced.hops.flushed())
      traced.after(b, traced.stamp(lane.OUT_TAKEN_AT))
      traced.after(c, traced.stamp(lane.OUT_WRITTEN_AT))
      traced.after(d, traced.stamp(lane.IN_READ_AT))
      traced.after(e, traced.trace.woken)
      traced.hops.arrived(traced.at)
      const sum = traced.trace.stats().reduce((total, hop) => total + (hop.count === 0 ? 0 : hop.meanMicros * 10), 0)
      // A histogram holds nothing shorter than a hundredth of a tick, and three digits of what is longer.
      return Math.abs(sum - (traced.at - sentAt)) <= 0.002 * sum + 1
    }),
  )
})
