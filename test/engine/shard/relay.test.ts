/** Who gets a connection that one shard has accepted and would rather not keep, with fake shards. */
import test from 'ava'
import type { SocketHandle } from '../../../engine/internals/socket-handle.js'
import { ShardLoads } from '../../../engine/protocol/shard-loads.js'
import { Utilization } from '../../../engine/shard/placement.js'
import { Relay, type RelayShard } from '../../../engine/shard/relay.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { signal, turns } from '../../helpers/turns.js'

const LISTENER = 7
const LONG_MS = 1_000

class FakeHandle implements SocketHandle {
  readonly fd = 1_000
  closes = 0

  close(): void {
    this.closes++
  }
}

class FakeShard implements RelayShard {
  readonly utilization: Utilization
  readonly sent = new Map<number, FakeHandle>()
  readonly taken: SocketHandle[] = []
  isUp = true
  isServing = true
  readonly serves = (): boolean => this.isServing
  refuses = false
  /** What it waits for before it answers. */
  until: Promise<void> = Promise.resolve()

  constructor(
    readonly index: number,
    clock: FakeClock,
    readonly works = 0,
  ) {
    const start = clock.now()
    const read = (): { active: number; idle: number } => {
      const ms = clock.now() - start
      return { active: ms * this.works, idle: ms * (1 - this.works) }
    }
    this.utilization = new Utilization(read, clock)
    this.utilization.begin()
  }

  readonly accepted = {
    receive: (ticket: number) => Promise.resolve(this.sent.get(ticket)),
    takeOver: async (_: number, handles: readonly SocketHandle[]) => {
      await this.until
      if (this.refuses) return handles
      this.taken.push(...handles)
      return []
    },
  }
}

class Stage {
  readonly loads: ShardLoads
  readonly shards: readonly FakeShard[]
  readonly relay: Relay
  readonly first: FakeShard

  /** Each has so many connections, and works so much of its time. */
  constructor(...shards: readonly { readonly connections: number; readonly works?: number }[]) {
    const clock = new FakeClock()
    this.loads = ShardLoads.create(shards.length)
    this.shards = shards.map(({ works }, index) => new FakeShard(index, clock, works))
    for (const [i, { connections }] of shards.entries()) {
      this.loads.add(i)
      this.loads.addConnections(i, connections)
    }
    clock.advance(LONG_MS)
    this.relay = new Relay(this.loads, () => this.shards.filter(({ isUp }) => isUp))
    this.first = this.shards[0] ?? new FakeShard(0, clock)
  }

  /** The first shard offers so many; resolves with what it keeps. */
  offer(count: number): Promise<readonly number[]> {
    const tickets = Array.from({ length: count }, (_, i) => i + 1)
    for (const ticket of tickets) this.first.sent.set(ticket, new FakeHandle())
    return this.relay.handOn(this.first, LISTENER, tickets)
  }

  get taken(): number[] {
    return this.shards.map(({ taken }) => taken.length)
  }

  get closes(): number[] {
    return [...this.first.sent.values()].map(({ closes }) => closes)
  }
}

test('connections go where the fewest are, as many as make the shards even, and main keeps none', async (t) => {
  const stage = new Stage({ connections: 10 }, { connections: 8 }, { connections: 6 })
  t.deepEqual(await stage.offer(6), [])
  t.deepEqual(stage.taken, [0, 2, 4])
  t.deepEqual(stage.closes, [1, 1, 1, 1, 1, 1])
  t.deepEqual(
    [1, 2].map((shard) => stage.loads.connectionsOf(shard)),
    [8, 6],
    'from here on the shards count them',
  )
})

test('a busy shard gets none, and the one that has accepted them keeps them', async (t) => {
  const stage = new Stage({ connections: 10 }, { connections: 0, works: 1 })
  t.deepEqual(await stage.offer(2), [1, 2])
  await turns()
  t.deepEqual(
    [stage.taken, stage.closes],
    [
      [0, 0],
      [1, 1],
    ],
  )
})

test('a shard that does not listen there, or is not up, gets none', async (t) => {
  const stage = new Stage({ connections: 10 }, { connections: 0 }, { connections: 0 }, { connections: 5 })
  for (const shard of stage.shards.slice(1, 2)) shard.isServing = false
  for (const shard of stage.shards.slice(2, 3)) shard.isUp = false
  t.deepEqual(await stage.offer(1), [])
  t.deepEqual(stage.taken, [0, 0, 0, 1])
})

test('what a shard refuses, and what was lost on its way, stays where it was', async (t) => {
  const stage = new Stage({ connections: 10 }, { connections: 0 })
  for (const shard of stage.shards) shard.refuses = true
  t.deepEqual(await stage.offer(2), [1, 2])
  t.deepEqual(stage.closes, [1, 1])
  for (const shard of stage.shards) shard.refuses = false
  t.deepEqual(await stage.relay.handOn(stage.first, LISTENER, [99]), [99])
  t.is(stage.loads.connectionsOf(1), 0)
})

test('what is on its way to a shard counts as that shard\u2019s', async (t) => {
  const stage = new Stage({ connections: 10 }, { connections: 0 }, { connections: 3 })
  const go = signal()
  for (const shard of stage.shards) shard.until = go.promise
  const offered = stage.offer(4)
  t.is(stage.loads.connectionsOf(1), 4)
  go.resolve()
  await offered
  t.is(stage.loads.connectionsOf(1), 0)
})

test('a shard that was lost meanwhile takes nothing from the count of the next in its place', async (t) => {
  const stage = new Stage({ connections: 10 }, { connections: 0 })
  const go = signal()
  for (const shard of stage.shards) shard.until = go.promise
  const offered = stage.offer(3)
  for (const shard of stage.shards.slice(1)) shard.isUp = false
  stage.loads.remove(1)
  stage.loads.add(1)
  go.resolve()
  await offered
  t.is(stage.loads.connectionsOf(1), 0)
})
