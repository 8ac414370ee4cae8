/** When main stays awake for a reply: while replies come in time, and only on the side that dialled. */
import test from 'ava'
import type { PendingReply } from '../../../engine/connection/lane-host.js'
import { AwakeWhilePaying } from '../../../engine/wake/awake-while-paying.js'

const strategy = new AwakeWhilePaying()

function connection(dialled = true): PendingReply {
  return { dialled, isAwaited: false, awaitedUntil: 0, hits: 0, penalty: 0, sleeps: 0 }
}

/** Sends so often; `comes` says whether a reply that is awaited comes in time. Returns how many were awaited. */
function send(reply: PendingReply, count: number, comes: (i: number) => boolean): number {
  let awaited = 0
  for (let i = 0; i < count; i++) {
    if (strategy.onSend(reply) === 0) continue
    awaited++
    if (comes(i)) strategy.onReply(reply)
    else strategy.onMiss(reply)
  }
  return awaited
}

test('each reply of a peer that answers in time is awaited', (t) => {
  t.is(
    send(connection(), 10_000, () => true),
    10_000,
  )
})

test('a peer that does not answer in time is hardly awaited', (t) => {
  const awaited = send(connection(), 100_000, () => false)
  t.true(awaited > 50 && awaited < 120, String(awaited))
})

test('where one reply in fifty is late, main mostly sleeps: there are too few CPUs', (t) => {
  const awaited = send(connection(), 100_000, (i) => i % 50 !== 0)
  t.true(awaited < 20_000, String(awaited))
})

test('where one in a thousand is late, main stays awake', (t) => {
  const awaited = send(connection(), 100_000, (i) => i % 1_000 !== 0)
  t.true(awaited > 95_000, String(awaited))
})

test('a peer that answers in time again is awaited again', (t) => {
  const reply = connection()
  send(reply, 10_000, () => false)
  send(reply, 10_000, () => true)
  t.is(
    send(reply, 1_000, () => true),
    1_000,
  )
})

test('the side that was dialled never stays awake', (t) => {
  t.is(
    send(connection(false), 100, () => true),
    0,
  )
})
