/** The bell of connections with both sides in one thread: what it tells, in which order, and who is not starved. */
import test from 'ava'
import type { Flushable, NotifyHandler } from '../../../engine/connection/lane-host.js'
import { ShardDoorbell } from '../../../workers/handlers/shard-doorbell.js'
import { turns, until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

interface Rig {
  readonly bell: ShardDoorbell
  readonly told: string[]
  /** Who looks at a lane. */
  readonly readers: Map<number, NotifyHandler>
}

function makeRig(): Rig {
  const told: string[] = []
  const readers = new Map<number, NotifyHandler>()
  const bell = new ShardDoorbell((laneId) => readers.get(laneId), {
    begin: () => void told.push('begin'),
    end: () => void told.push('end'),
  })
  return { bell, told, readers }
}

function reader({ told }: Rig, name: string, more: () => boolean = () => false): NotifyHandler {
  return {
    onNotify: () => {
      told.push(name)
      return more()
    },
  }
}

function flushable({ told }: Rig, name: string): Flushable {
  return { flush: () => void told.push(`flush ${name}`) }
}

test('lanes are looked at in the order of their bells, each once, after the caller is through', async (t) => {
  const rig = makeRig()
  for (const id of [1, 2, 3]) rig.readers.set(id, reader(rig, String(id)))
  for (const id of [2, 3, 2, 1, 3]) rig.bell.notify(id)
  rig.bell.notifySoon(2)
  t.deepEqual(rig.told, [])
  await turns()
  t.deepEqual(rig.told, ['begin', '2', '3', '1', 'end'])
})

test('a lane that nobody looks at any more is passed over', async (t) => {
  const rig = makeRig()
  rig.readers.set(2, reader(rig, '2'))
  rig.bell.notify(1)
  rig.bell.notify(2)
  await turns()
  t.deepEqual(rig.told, ['begin', '2', 'end'])
})

test('what is written during a visit is flushed at its end, once all lanes were looked at', async (t) => {
  const rig = makeRig()
  const out = flushable(rig, 'out')
  rig.readers.set(1, {
    onNotify: () => {
      rig.bell.flushSoon(out)
      rig.told.push('1')
      return false
    },
  })
  rig.readers.set(2, reader(rig, '2'))
  rig.bell.notify(1)
  rig.bell.notify(2)
  await turns()
  t.deepEqual(rig.told, ['begin', '1', '2', 'flush out', 'end'])
})

test('what is written outside a visit is flushed once the caller is through', async (t) => {
  const rig = makeRig()
  rig.bell.flushSoon(flushable(rig, 'out'))
  t.deepEqual(rig.told, [])
  await Promise.resolve()
  t.deepEqual(rig.told, ['begin', 'flush out'])
  await turns()
  t.deepEqual(rig.told, ['begin', 'flush out', 'end'])
})

test('what a flush writes in its turn is flushed too', async (t) => {
  const rig = makeRig()
  rig.bell.flushSoon({
    flush: () => {
      rig.told.push('first')
      rig.bell.flushSoon(flushable(rig, 'second'))
    },
  })
  await turns()
  t.deepEqual(rig.told, ['begin', 'first', 'flush second', 'end'])
})

test('a reader with more to do gets one budget a turn, and others are looked at in between', async (t) => {
  const rig = makeRig()
  let left = 3
  const busy = reader(rig, 'busy', () => --left > 0)
  rig.readers.set(1, busy)
  rig.readers.set(2, reader(rig, 'other'))
  rig.bell.notify(1)
  const seen: string[][] = []
  for (let turn = 0; turn < 4; turn++) {
    await Promise.resolve()
    // However often it asks, it is one budget.
    if (left > 0) rig.bell.revisit(busy)
    if (turn === 1) rig.bell.notify(2)
    await turns()
    seen.push(rig.told.splice(0))
  }
  const budgets = seen.map((turn) => turn.filter((what) => what === 'busy').length)
  t.true(
    budgets.every((budget) => budget <= 2),
    JSON.stringify(seen),
  )
  t.is(left, 0)
  t.true(seen.flat().includes('other'))
})

test('two peers in one thread that ring for each other let the event loop turn', async (t) => {
  const rig = makeRig()
  let rings = 0
  let isOver = false
  const pingPong = (other: number): NotifyHandler => ({
    onNotify: () => {
      rings++
      if (!isOver) rig.bell.notify(other)
      return false
    },
  })
  rig.readers.set(1, pingPong(2))
  rig.readers.set(2, pingPong(1))
  rig.bell.notify(1)
  const before: number[] = []
  for (let turn = 0; turn < 5; turn++) {
    // If they went on in microtasks alone, this would never come back.
    await turns()
    before.push(rings)
  }
  isOver = true
  before.forEach((count, turn) => t.true(count <= 65 * (turn + 2), `${String(count)} after turn ${String(turn)}`))
  t.true(rings > 5)
  const then = rings
  await turns(3)
  t.true(rings - then <= 1)
  const { told } = rig
  t.is(told.filter((what) => what === 'begin').length, told.filter((what) => what === 'end').length)
})

test('a visit that throws flushes what was written, and the next bell is heard', async (t) => {
  const rig = makeRig()
  const thrown: unknown[] = []
  const remember = (error: unknown): void => void thrown.push(error)
  rig.readers.set(1, {
    onNotify: () => {
      rig.bell.flushSoon(flushable(rig, 'out'))
      throw new Error('a broken reader')
    },
  })
  rig.readers.set(2, reader(rig, '2'))
  // AVA's own listeners would fail the run: they are back once this is over.
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', remember)
  try {
    rig.bell.notify(1)
    await until(() => thrown.length === 1)
    rig.bell.notify(2)
    await turns(2)
  } finally {
    process.off('uncaughtException', remember)
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  t.is((thrown[0] as Error).message, 'a broken reader')
  t.deepEqual(
    rig.told.filter((what) => what !== 'begin' && what !== 'end'),
    ['flush out', '2'],
  )
})

test('there is no reply to wait for', (t) => {
  const { bell, told } = makeRig()
  bell.awaitReply()
  bell.replied()
  t.deepEqual(told, [])
})
