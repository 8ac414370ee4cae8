/** The place of one shard, with shards that live and die as the test says. */
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import {
  nextSlotState,
  ShardSlot,
  type SlotEvent,
  type SlotState,
  type SupervisedShard,
} from '../../../engine/shard/shard-slot.js'
import type { ShardLife } from '../../../engine/shard/shard-environment.js'
import type { ShardStats } from '../../../engine/shard/shard.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { WarningBook } from '../../helpers/warnings.js'

const DELAY_MS = 50
const RESTART = { max: 2, windowMs: 10_000, initialDelayMs: DELAY_MS, maxDelayMs: 1_000 }
const STATS = { shard: 0, state: 'up', generation: 1 } as ShardStats

class FakeShard implements SupervisedShard {
  readonly life: ShardLife
  readonly booted: Promise<void>
  readonly ended: Promise<TransportError | undefined>
  isUp = false
  references = 0
  start!: () => void
  end!: (error?: TransportError) => void

  constructor(life: ShardLife) {
    this.life = life
    this.booted = new Promise((resolve) => {
      this.start = () => {
        this.isUp = true
        resolve()
      }
    })
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
  }

  keepAlive(on: boolean): void {
    this.references += on ? 1 : -1
  }

  stats(): ShardStats {
    return { ...STATS, generation: this.life.generation }
  }
}

function create(restart = RESTART) {
  const clock = new FakeClock()
  const shards: FakeShard[] = []
  const told: string[] = []
  const tell = (what: string) => (shard: FakeShard) => {
    told.push(`${what} ${String(shard.life.generation)}`)
  }
  const slot = new ShardSlot<FakeShard>(
    3,
    {
      engine: '0',
      start: (life) => {
        const shard = new FakeShard(life)
        shards.push(shard)
        return shard
      },
      onLost: tell('lost'),
      onRestored: tell('restored'),
      onGivenUp: () => {
        told.push('given up')
      },
    },
    restart,
    clock,
  )
  slot.supervise()
  const last = (): FakeShard => {
    const shard = shards.at(-1)
    if (shard === undefined) throw new Error('no shard was started')
    return shard
  }
  const lose = async (): Promise<void> => {
    last().end(new TransportError('ERR_SHARD_LOST', 'died'))
    await clock.turn()
  }
  return { clock, shards, told, slot, last, lose }
}

test('a shard that dies is replaced after a pause, by one with the same counters and the next generation', async (t) => {
  const { clock, shards, told, slot, last, lose } = create()
  await lose()
  t.deepEqual([slot.shard, slot.stats().state, slot.isOver], [undefined, 'restarting', false])
  clock.advance(DELAY_MS - 1)
  t.is(shards.length, 1)
  clock.advance(1)
  t.deepEqual(
    shards.map(({ life }) => [life.index, life.generation]),
    [
      [3, 1],
      [3, 2],
    ],
  )
  t.is(shards[0]?.life.counters, shards[1]?.life.counters)
  t.deepEqual(told, ['lost 1'], 'it is not up yet')
  last().start()
  await clock.turn()
  t.deepEqual(told, ['lost 1', 'restored 2'])
})

test('a shard that was stopped is not replaced', async (t) => {
  const { clock, shards, told, slot, last } = create()
  last().end()
  await clock.turn()
  clock.advance(10 * DELAY_MS)
  t.deepEqual([shards.length, told, slot.stats().state, slot.isOver], [1, [], 'stopped', true])
})

test.serial('a shard that dies more often than the budget allows is given up with a warning', async (t) => {
  const { clock, shards, told, slot, lose } = create()
  const warnings = new WarningBook()
  t.teardown(() => {
    warnings.close()
  })
  for (let death = 1; death <= 3; death++) {
    await lose()
    clock.advance(2 * DELAY_MS)
  }
  t.is(shards.length, 3)
  t.deepEqual(told, ['lost 1', 'lost 2', 'lost 3', 'given up'])
  t.deepEqual([slot.shard, slot.stats().state, slot.isOver], [undefined, 'given-up', true])
  t.regex((await warnings.next()).message, /^shard 3 died 3 times within 10000 ms /)
})

test('a retired slot starts no shard, whether its own dies before or after that', async (t) => {
  const waiting = create()
  await waiting.lose()
  waiting.slot.retire()
  t.deepEqual([waiting.clock.armed, waiting.slot.stats().state], [0, 'stopped'])

  const running = create()
  running.slot.retire()
  t.is(running.slot.shard, running.last(), 'it runs on')
  await running.lose()
  t.deepEqual([running.clock.armed, running.slot.stats().state], [0, 'stopped'])
  t.deepEqual(running.told, ['lost 1'])
})

test('a shard that boots too late for its slot is not reported as restored', async (t) => {
  const { clock, told, slot, last, lose } = create()
  await lose()
  clock.advance(DELAY_MS)
  slot.retire()
  last().start()
  await clock.turn()
  t.deepEqual(told, ['lost 1'])
})

test('what needs the shard keeps the process alive in each life, and between two', async (t) => {
  const { clock, slot, last, lose } = create()
  slot.keepAlive(true)
  t.is(last().references, 1)
  await lose()
  t.is(clock.keepingAlive, 1)
  slot.keepAlive(false)
  t.deepEqual([clock.armed, clock.keepingAlive], [1, 0])
  slot.keepAlive(true)
  slot.keepAlive(true)
  t.deepEqual([clock.armed, clock.keepingAlive], [1, 1])
  clock.advance(DELAY_MS)
  t.is(last().references, 2)
})

test('being needed or not does not put the restart off', async (t) => {
  const { clock, shards, slot, lose } = create()
  await lose()
  clock.advance(DELAY_MS - 10)
  slot.keepAlive(true)
  clock.advance(10)
  t.is(shards.length, 2)
})

test('only what may happen in a state changes it', (t) => {
  const last = STATS
  const states: SlotState<string>[] = [
    { kind: 'running', shard: 'a' },
    { kind: 'retiring', shard: 'a' },
    { kind: 'waiting', last, dueAt: 1 },
    { kind: 'given-up', last },
    { kind: 'stopped', last },
  ]
  const events: readonly (readonly [SlotEvent<string>, ...SlotState<string>['kind'][]])[] = [
    [{ kind: 'retired' }, 'retiring', 'retiring', 'stopped', 'given-up', 'stopped'],
    [{ kind: 'stopped', last }, 'stopped', 'stopped', 'waiting', 'given-up', 'stopped'],
    [{ kind: 'lost', last, dueAt: 5 }, 'waiting', 'stopped', 'waiting', 'given-up', 'stopped'],
    [{ kind: 'lost', last, dueAt: undefined }, 'given-up', 'stopped', 'waiting', 'given-up', 'stopped'],
    [{ kind: 'restarted', shard: 'b' }, 'running', 'retiring', 'running', 'given-up', 'stopped'],
  ]
  for (const [event, ...expected] of events) {
    t.deepEqual(
      states.map((state) => nextSlotState(state, event).kind),
      expected,
      event.kind,
    )
  }
})
