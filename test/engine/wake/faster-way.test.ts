/** How main waits for replies: in the way that brings them sooner, as measured, and only on the side that dialled. */
import test from 'ava'
import type { PendingReply } from '../../../engine/connection/lane-host.js'
import { FasterWay } from '../../../engine/wake/faster-way.js'

const strategy = new FasterWay()

function connection(dialled = true): PendingReply {
  return { dialled, sentAt: 0, isAwaited: false, awaitedUntil: 0, memory: undefined }
}

/** How late the i-th reply is, by whether main is awake for it. */
type Machine = (isAwake: boolean, i: number) => number

let now = 0

/** Sends so often, `pauseMs` after each reply, and hears as the machine says. Returns for how many main was awake. */
function exchange(reply: PendingReply, count: number, machine: Machine, pauseMs = 0.01): number {
  let awake = 0
  for (let i = 0; i < count; i++) {
    now += pauseMs
    const ms = strategy.onSend(reply, now)
    if (ms > 0) awake++
    const took = machine(ms > 0, i)
    if (ms > 0 && took > ms) strategy.onMiss(reply)
    now += Math.min(took, 10)
    if (took < Infinity) strategy.onReply(reply, took, now)
  }
  return awake
}

/** A wake-up costs more than all the rest, and there is a free CPU. */
const free: Machine = (isAwake) => (isAwake ? 0.03 : 0.09)
/** Awake, main takes the CPU that another thread needs: one reply in ten comes when it has given up. */
const crowded: Machine = (isAwake, i) => (!isAwake ? 0.045 : i % 10 === 0 ? 1.05 : 0.028)

test('main stays awake where that brings replies sooner', (t) => {
  t.true(exchange(connection(), 100_000, free) > 98_000)
})

test('main sleeps where some replies are late because it is awake, however soon the others come', (t) => {
  const reply = connection()
  exchange(reply, 5_000, crowded)
  t.true(exchange(reply, 100_000, crowded) < 1_000)
})

test('before any trial is due, misses call for one', (t) => {
  const awake = exchange(connection(), 1_000, crowded)
  t.true(awake < 200, String(awake))
})

test('main sleeps where being awake gains nothing', (t) => {
  const reply = connection()
  exchange(reply, 5_000, () => 0.05)
  t.true(exchange(reply, 100_000, () => 0.05) < 1_000)
})

test('main changes its way when the machine does, both ways', (t) => {
  const reply = connection()
  exchange(reply, 20_000, free)
  exchange(reply, 20_000, crowded)
  t.true(exchange(reply, 10_000, crowded) < 200)
  exchange(reply, 20_000, free)
  t.true(exchange(reply, 10_000, free) > 9_800)
})

test('the other way is tried again, ever more rarely', (t) => {
  const reply = connection()
  const early = 20_000 - exchange(reply, 20_000, free)
  exchange(reply, 100_000, free)
  const late = 20_000 - exchange(reply, 20_000, free)
  t.true(late >= 32 && late < early, `${String(early)}, then ${String(late)}`)
})

test('for a peer that never answers main sleeps', (t) => {
  t.is(
    exchange(connection(), 10_000, () => Infinity),
    0,
  )
})

test('after a pause main sleeps, and how long the reply takes then does not count', (t) => {
  const reply = connection()
  t.is(
    exchange(reply, 10_000, () => 0.5, 1),
    0,
  )
  t.true(exchange(reply, 10_000, free) > 9_800)
})

/** Sends twice before the reply to the first comes, so many milliseconds apart. Returns whether the reply counts. */
function counts(gapMs: number): boolean {
  const reply = connection()
  exchange(reply, 10, free)
  const before = reply.memory?.replies ?? 0
  now += 0.01
  strategy.onSend(reply, now)
  reply.sentAt = now
  now += gapMs
  strategy.onSend(reply, now)
  now += 0.1
  strategy.onReply(reply, now - reply.sentAt, now)
  return reply.memory?.replies === before + 1
}

test('a late reply counts although something else was sent meanwhile', (t) => {
  t.true(counts(0.3))
  t.true(counts(0.9))
})

test('what was never answered does not make the next reply late', (t) => {
  t.false(counts(1_000))
})

test('a peer that answers again is waited for as before', (t) => {
  const reply = connection()
  exchange(reply, 10_000, () => Infinity)
  exchange(reply, 5_000, free)
  t.true(exchange(reply, 5_000, free) > 4_800)
})

test('a peer that takes long for an answer is waited for asleep', (t) => {
  const reply = connection()
  exchange(reply, 2_000, () => 20)
  t.true(exchange(reply, 10_000, () => 20) < 200)
})

test('the side that was dialled never stays awake, and nothing is remembered', (t) => {
  const reply = connection(false)
  t.false(strategy.wants(reply))
  t.is(reply.memory, undefined)
})
