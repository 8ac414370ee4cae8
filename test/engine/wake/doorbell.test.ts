/** The bell loop: what one turn gives to each connection. */
import test from 'ava'
import type { PendingReply } from '../../../engine/connection/lane-host.js'
import { Doorbell, type BellSource } from '../../../engine/wake/doorbell.js'
import { wakeStrategyOf } from '../../../engine/wake/wake-policy.js'
import { BellListener, BellNotifier, createBellMemory } from '../../../engine/protocol/bell.js'
import { turns } from '../../helpers/turns.js'

const LANE = 3

test('a connection that always has more work gets one budget for each turn and bell, however often it is notified', async (t) => {
  const doorbell = new Doorbell(
    wakeStrategyOf('park'),
    () => true,
    () => 0,
  )
  const memory = createBellMemory()
  const notifier = new BellNotifier(memory, () => undefined)
  let budgets = 0
  let flooded = true
  const reader = {
    onNotify: () => {
      budgets++
      return flooded
    },
  }
  const source: BellSource = {
    listener: new BellListener(memory),
    // As a shard does it.
    visit: () => {
      if (reader.onNotify()) doorbell.revisit(reader)
    },
  }
  doorbell.add(source)
  doorbell.revisit(reader)
  const seen: number[] = []
  for (let i = 0; i < 20; i++) {
    notifier.notify(LANE)
    const before = budgets
    await turns()
    seen.push(budgets - before)
  }
  flooded = false
  t.true(Math.max(...seen) <= 2, seen.join())
  t.true(budgets >= 20)
})

interface Told {
  readonly replies: PendingReply[]
  readonly misses: PendingReply[]
}

/** A doorbell that stays awake for `ms`, on a clock of the test's own. */
function awake(ms: number, endsWithReply = true): { doorbell: Doorbell; told: Told; clock: { now: number } } {
  const told: Told = { replies: [], misses: [] }
  const clock = { now: 100 }
  const doorbell = new Doorbell(
    {
      wants: () => true,
      onSend: () => ms,
      onReply: (reply) => void told.replies.push(reply),
      onMiss: (reply) => void told.misses.push(reply),
      endsWithReply,
    },
    () => true,
    () => clock.now,
  )
  return { doorbell, told, clock }
}

function pending(): PendingReply {
  return { dialled: true, sentAt: 0, isAwaited: false, awaitedUntil: 0, memory: undefined }
}

test('main stays awake until the reply is there', async (t) => {
  const { doorbell, told } = awake(10)
  const reply = pending()
  doorbell.awaitReply(reply)
  await turns(20)
  t.true(doorbell.isRunning && reply.isAwaited)
  doorbell.replied(reply)
  await turns(2)
  t.false(doorbell.isRunning || reply.isAwaited)
  t.deepEqual(told, { replies: [reply], misses: [] })
})

test('main goes to sleep when a reply is late, each in its own time', async (t) => {
  const { doorbell, told, clock } = awake(10)
  const [one, other] = [pending(), pending()]
  doorbell.awaitReply(one)
  clock.now = 106
  doorbell.awaitReply(other)
  clock.now = 110
  await turns(2)
  t.true(doorbell.isRunning)
  t.deepEqual(told.misses, [one])
  clock.now = 116
  await turns(2)
  t.false(doorbell.isRunning)
  t.deepEqual(told, { replies: [], misses: [one, other] })
})

test('another send before the reply makes its time begin again', async (t) => {
  const { doorbell, told, clock } = awake(10)
  const [one, other] = [pending(), pending()]
  doorbell.awaitReply(one)
  doorbell.awaitReply(other)
  clock.now = 105
  doorbell.awaitReply(one)
  clock.now = 110
  await turns(2)
  t.deepEqual(told.misses, [other])
  t.true(doorbell.isRunning)
  doorbell.replied(one)
  await turns(2)
  t.false(doorbell.isRunning)
})

test('a strategy may keep main awake behind the reply', async (t) => {
  const { doorbell, clock } = awake(10, false)
  const reply = pending()
  doorbell.awaitReply(reply)
  doorbell.replied(reply)
  await turns(2)
  t.true(doorbell.isRunning)
  clock.now = 110
  await turns(2)
  t.false(doorbell.isRunning)
})

test('a flush knows whether few or many others go with it', async (t) => {
  const doorbell = new Doorbell(
    wakeStrategyOf('park'),
    () => true,
    () => 0,
  )
  const seen: boolean[] = []
  const flushable = {
    flush: (isAlone: boolean) => void seen.push(isAlone),
  }
  for (const count of [1, 2, 50]) {
    for (let i = 0; i < count; i++) doorbell.flushSoon(flushable)
    await turns()
  }
  t.deepEqual([seen[0], seen[1], seen[3], seen.length], [true, true, false, 53])
})
