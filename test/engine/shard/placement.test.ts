/** Which shard a new connection goes to, by fake shards and a clock that the test moves. */
import test from 'ava'
import { place, Utilization, type EventLoopTimes } from '../../../engine/shard/placement.js'
import { FakeClock } from '../../helpers/fake-clock.js'

/** Longer than a sample is gone by, and long enough to replace what was before. */
const LONG_MS = 1_000
const SOON_MS = 100

class FakeShard {
  connections = 0
  /** The part of its time that it works. */
  works = 0
  reads = 0
  readonly utilization: Utilization
  readonly #clock: FakeClock
  #times: EventLoopTimes = { active: 0, idle: 0 }
  #at: number

  constructor(clock: FakeClock) {
    this.#clock = clock
    this.#at = clock.now()
    this.utilization = new Utilization(() => this.#read(), clock)
  }

  #read(): EventLoopTimes {
    this.reads++
    const ms = this.#clock.now() - this.#at
    this.#at += ms
    const { active, idle } = this.#times
    this.#times = { active: active + ms * this.works, idle: idle + ms * (1 - this.works) }
    return this.#times
  }
}

class Stage {
  readonly clock = new FakeClock()
  readonly shards: readonly FakeShard[]

  /** For each shard, the part of its time that it has worked in the last second. */
  constructor(...works: readonly number[]) {
    this.shards = works.map(() => new FakeShard(this.clock))
    for (const { utilization } of this.shards) utilization.begin()
    this.pass(...works)
  }

  pass(...works: readonly number[]): void {
    for (const [i, shard] of this.shards.entries()) shard.works = works[i] ?? 0
    this.clock.advance(LONG_MS)
  }

  /** Places so many; returns what each shard has got. */
  place(count: number): number[] {
    const before = this.shards.map(({ connections }) => connections)
    for (let i = 0; i < count; i++) {
      const shard = this.#choose()
      if (shard !== undefined) shard.connections++
    }
    return this.shards.map(({ connections }, i) => connections - (before[i] ?? 0))
  }

  #choose(): FakeShard | undefined {
    return place(this.shards, ({ connections }) => connections)
  }
}

test('without a shard there is no place', (t) => {
  const none: readonly FakeShard[] = []
  t.is(
    place(none, () => 0),
    undefined,
  )
})

test('shards that are equally busy fill up evenly, the first of equals first', (t) => {
  const stage = new Stage(0, 0, 0)
  t.deepEqual(stage.place(1), [1, 0, 0])
  t.deepEqual(stage.place(4), [1, 2, 1])
  t.deepEqual(stage.place(300), [100, 100, 100])
})

test('what is already there counts', (t) => {
  const stage = new Stage(0, 0)
  const [first] = stage.shards
  if (first !== undefined) first.connections = 10
  t.deepEqual(stage.place(12), [1, 11])
})

test('a small difference of utilisation is a tie', (t) => {
  const stage = new Stage(0.45, 0)
  t.deepEqual(stage.place(10), [5, 5])
})

test('a shard that is clearly busier gets nothing, though the others have many more connections', (t) => {
  const stage = new Stage(1, 0, 0)
  for (const shard of stage.shards.slice(1)) shard.connections = 1_000
  t.deepEqual(stage.place(20), [0, 10, 10])
})

test('where all are busy, connections decide', (t) => {
  t.deepEqual(new Stage(1, 1).place(10), [5, 5])
})

test('of a burst within one sample the idle shard gets the most, and not all', (t) => {
  const stage = new Stage(1, 0)
  const [busy = 0, idle = 0] = stage.place(1_000)
  t.true(busy > 100, String(busy))
  t.true(idle >= 500, String(idle))
})

test('a burst does not make shards look busier than one that is', (t) => {
  const stage = new Stage(0.1, 0)
  const [first = 0, second = 0] = stage.place(1_000)
  t.deepEqual([first, second], [500, 500])
})

test('once a sample says that a burst cost nothing, the idle shard gets all again', (t) => {
  const stage = new Stage(1, 0)
  stage.place(1_000)
  stage.pass(1, 0)
  t.deepEqual(stage.place(10), [0, 10])
})

test('a shard that has calmed down is as good as the others', (t) => {
  const stage = new Stage(1, 0)
  stage.place(10)
  stage.pass(0, 0)
  t.deepEqual(stage.place(10), [10, 0])
})

test('a thread is looked at when it is asked for, and not again before the sample is old', (t) => {
  const clock = new FakeClock()
  const shard = new FakeShard(clock)
  const { utilization } = shard
  t.is(utilization.value, 0)
  shard.works = 1
  clock.advance(SOON_MS)
  t.is(utilization.value, 0, 'the sample is new enough')
  t.is(shard.reads, 1)
  clock.advance(LONG_MS)
  t.is(utilization.value, 1)
  t.is(shard.reads, 2)
  t.deepEqual(clock.asked, [], 'no timer is armed')
})

test('a short time of work does not count as much as a long one', (t) => {
  const clock = new FakeClock()
  const shard = new FakeShard(clock)
  const { utilization } = shard
  t.is(utilization.lasting, 0)
  shard.works = 1
  clock.advance(200)
  t.is(utilization.lasting, 0.4)
  t.is(utilization.value, 1)
  clock.advance(LONG_MS)
  t.is(utilization.lasting, 1)
})

test('a thread that is gone is not busy', (t) => {
  const clock = new FakeClock()
  const times = { active: 10, idle: 10 }
  const utilization = new Utilization(() => ({ ...times }), clock)
  t.is(utilization.value, 0)
  times.active = times.idle = 0
  clock.advance(LONG_MS)
  t.is(utilization.value, 0)
})
