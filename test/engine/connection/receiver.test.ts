/** The receiving half over a lane whose words the test moves. */
import test from 'ava'
import type { Receiver } from '../../../engine/connection/receiver.js'
import { inState, lane } from '../../../engine/protocol/ring-layout.js'
import { rejects } from '../../helpers/expected-errors.js'
import { encodeFrame, publishBytes } from '../../helpers/lane-fixture.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { reset, ReceiverRig as Rig } from '../../helpers/receiver-rig.js'
import { signal, turns } from '../../helpers/turns.js'

const FRAME_TIMEOUT_MS = 1_003
const one = encodeFrame(Buffer.from('one'))

test('frames come in order, and the end behind them once', async (t) => {
  const rig = new Rig()
  const { consumer } = rig.receiver
  const first = consumer.receive({})
  rig.say(Buffer.concat([one, encodeFrame(Buffer.from('two'))]))
  t.is(String(await first), 'one')
  rig.store(lane.IN_STATE, inState.ENDED)
  rig.receiver.onNotify()
  t.deepEqual(rig.told, [])
  t.is(String(await consumer.receive({})), 'two')
  t.is(await consumer.receive({}), undefined)
  t.is(await consumer.receive({}), undefined)
  t.deepEqual(rig.told, ['exhausted', 'end'])
  t.is(rig.receiver.received.frames, 2)
})

test('what is unread when the lane is given back comes before the failure', async (t) => {
  const rig = new Rig()
  rig.say(one)
  t.is(rig.receiver.detach(reset), reset)
  t.is(rig.receiver.detach(undefined), undefined)
  t.is(String(await rig.receiver.consumer.receive({})), 'one')
  t.is(await rejects(t, rig.receiver.consumer.receive({}), 'ERR_RESET'), reset)
  t.deepEqual(rig.told, ['exhausted'])
})

test('what is cut off in the rest is known before it is read', async (t) => {
  const rig = new Rig()
  rig.say(Buffer.concat([one, one.subarray(0, 5)]))
  t.is(rig.receiver.detach(undefined)?.code, 'ERR_TRUNCATED')
  t.is(String(await rig.receiver.consumer.receive({})), 'one')
  await rejects(t, rig.receiver.consumer.receive({}), 'ERR_TRUNCATED')
})

test('the end of a process concludes a stream that has been read', async (t) => {
  const rig = new Rig()
  rig.awaitsConclusion = true
  const frame = rig.receiver.consumer.receive({})
  rig.store(lane.IN_STATE, inState.ENDED)
  rig.receiver.onNotify()
  t.deepEqual(rig.told, ['exhausted', 'end'])
  t.is(rig.receiver.detach(undefined), undefined)
  rig.receiver.conclude(reset)
  t.is(await rejects(t, frame, 'ERR_RESET'), reset)
})

test('a subscriber that fails ends the stream, in time or late', async (t) => {
  const rig = new Rig()
  rig.receiver.consumer.subscribe(() => {
    throw new Error('cannot digest')
  }, true)
  rig.say(one)
  t.deepEqual(rig.told, ['cannot digest, in time', 'exhausted'])
  await rejects(t, rig.receiver.consumer.receive({}), 'ERR_RESET')

  const late = new Rig()
  const held = signal()
  late.receiver.consumer.subscribe(async () => {
    await held.promise
    throw new Error('too late')
  }, false)
  late.say(one)
  late.receiver.detach(undefined)
  held.resolve()
  await turns(2)
  t.deepEqual(late.told, ['too late, late', 'exhausted'])
})

test('settle() waits for the handler of each frame that has come, and for no later one', async (t) => {
  const rig = new Rig()
  t.is(rig.receiver.settle(), undefined)
  const held = [signal(), signal()]
  let calls = 0
  rig.receiver.consumer.subscribe(() => held[calls++]?.promise, false)
  rig.say(one)
  const settled = rig.receiver.settle()
  publishBytes(rig.producer, one)
  held[0]?.resolve()
  await settled
  await turns(2)
  t.is(calls, 2)
  t.not(rig.receiver.settle(), undefined)
})

test('settle() from inside a handler waits for that handler', async (t) => {
  const ways = {
    frames: ({ consumer }, handler) => consumer.subscribe(handler, true),
    batches: ({ consumer }, handler) => consumer.subscribeBatch(handler),
  } satisfies Record<string, (receiver: Receiver, handler: () => unknown) => () => void>
  for (const [name, subscribe] of Object.entries(ways)) {
    for (const stops of [false, true]) {
      const rig = new Rig()
      const work = signal()
      let settled: Promise<void> | undefined
      let isSettled = false
      const stop = subscribe(rig.receiver, () => {
        settled = rig.receiver.settle()?.then(() => void (isSettled = true))
        if (stops) stop()
        return work.promise
      })
      rig.say(one)
      t.not(settled, undefined, name)
      await turns(2)
      t.false(isSettled, name)
      work.resolve()
      await settled
    }
    const rig = new Rig()
    let settled: Promise<void> | undefined
    subscribe(rig.receiver, () => void (settled = rig.receiver.settle()))
    rig.say(one)
    t.not(settled, undefined, name)
    await settled
  }
})

test('a handler that no subscription stands for counts until its connection is awaited', async (t) => {
  const rig = new Rig()
  const work = signal()
  rig.receiver.tend(work.promise)
  const settled = rig.receiver.settle()
  t.not(settled, undefined)
  rig.awaitsEnd = true
  rig.receiver.handlers.update(false)
  await settled
  t.is(rig.receiver.settle(), undefined)
})

test('the deadline of a frame runs only while there is a consumer', async (t) => {
  const clock = new ManualClock((ms) => ms <= FRAME_TIMEOUT_MS)
  const rig = new Rig({ clock, frameTimeoutMs: FRAME_TIMEOUT_MS })
  rig.say(one.subarray(0, 5))
  t.deepEqual(clock.armed, [])
  const stop = rig.receiver.consumer.subscribe(() => undefined, true)
  rig.receiver.onNotify()
  clock.advance(1_000)
  stop()
  clock.advance(1_000)
  const frame = rig.receiver.consumer.receive({})
  t.deepEqual(clock.armed, [3])
  clock.advance(3)
  await turns(2)
  t.deepEqual(rig.told, ['exhausted', 'ERR_FRAME_TIMEOUT'])
  rig.receiver.abandon(reset)
  await rejects(t, frame, 'ERR_RESET')
})

test('what is in the way of another user is named', async (t) => {
  const rig = new Rig()
  t.is(rig.receiver.reuseBlocker, undefined)
  const stop = rig.receiver.consumer.subscribe(() => undefined, true)
  t.is(rig.receiver.reuseBlocker, 'busy')
  stop()
  publishBytes(rig.producer, one.subarray(0, 2))
  t.is(rig.receiver.reuseBlocker, 'unread')
  publishBytes(rig.producer, one.subarray(2))
  t.is(String(await rig.receiver.consumer.receive({})), 'one')
  t.is(rig.receiver.reuseBlocker, undefined)
  rig.receiver.abandon(reset)
  t.is(rig.receiver.reuseBlocker, 'ended')
})

test('a frame that a subscriber reads by itself is counted once', async (t) => {
  for (const borrow of [false, true]) {
    const rig = new Rig()
    const taken = [0, 0]
    Object.assign(rig.host, {
      onTaken: (frames: number, bytes: number) => {
        taken[0] = (taken[0] ?? 0) + frames
        taken[1] = (taken[1] ?? 0) + bytes
      },
    })
    const { consumer } = rig.receiver
    let second: Promise<Buffer | undefined> | undefined
    const stop = consumer.subscribe(() => {
      stop()
      second = consumer.receive({})
    }, borrow)
    rig.say(Buffer.concat([one, one, one]))
    t.is(String(await second), 'one')
    t.is(String(await consumer.receive({})), 'one')
    t.deepEqual(taken, [3, 9])
  }
})
