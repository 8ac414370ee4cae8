/** How a shard waits for notifications: asleep, or awake for a moment in a series of requests. */
import test, { type ExecutionContext } from 'ava'
import { BellListener, BellNotifier, createBellMemory } from '../../engine/protocol/bell.js'
import type { Clock } from '../../engine/protocol/clock.js'
import { WakeLoop } from '../../workers/wake-loop.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { turns, until } from '../helpers/turns.js'

const WATCHDOG_MS = 20_000
const DIALLED = 5
const ACCEPTED = 6

failOnWarnings()

interface Rig {
  readonly notifier: BellNotifier
  readonly heard: number[]
  readonly wakes: () => number
  advance(ms: number): void
}

/** A shard whose clock stands still until `advance()`. */
function makeRig(t: ExecutionContext): Rig {
  const memory = createBellMemory()
  const heard: number[] = []
  let now = 1_000
  let wakes = 0
  const clock: Clock = {
    now: () => now,
    setTimer: () => () => undefined,
    nextTurn: (step) => void setImmediate(step),
  }
  const loop = new WakeLoop(
    new BellListener(memory),
    clock,
    (laneId) => {
      heard.push(laneId)
      return laneId === DIALLED
    },
    () => {
      wakes++
    },
  )
  const notifier = new BellNotifier(memory, () => {
    setImmediate(loop.wake)
  })
  loop.start()
  // Its clock stands still: it would stay awake for ever.
  t.teardown(() => {
    notifier.keepAwake(false)
  })
  return {
    notifier,
    heard,
    wakes: () => wakes,
    advance: (ms) => {
      now += ms
    },
  }
}

/** Notifies, and waits until the loop has seen it. */
async function say({ notifier, heard }: Rig, laneId: number): Promise<void> {
  const before = heard.length
  notifier.notify(laneId)
  await until(() => heard.length > before)
}

test('each notification wakes a shard that is not to stay awake', async (t) => {
  t.timeout(WATCHDOG_MS)
  const rig = makeRig(t)
  for (let i = 0; i < 5; i++) await say(rig, DIALLED)
  t.is(rig.wakes(), 5)
  t.is(rig.heard.length, 5)
})

test('the second notification of a series finds it awake, and so do all that follow', async (t) => {
  t.timeout(WATCHDOG_MS)
  const rig = makeRig(t)
  rig.notifier.keepAwake(true)
  for (let i = 0; i < 2; i++) await say(rig, DIALLED)
  t.is(rig.wakes(), 2)
  for (let i = 0; i < 20; i++) {
    rig.advance(0.03)
    await say(rig, DIALLED)
  }
  t.is(rig.wakes(), 2)
})

test('it goes to sleep when no more have come for a moment, and is woken again', async (t) => {
  t.timeout(WATCHDOG_MS)
  const rig = makeRig(t)
  rig.notifier.keepAwake(true)
  for (let i = 0; i < 3; i++) await say(rig, DIALLED)
  const before = rig.wakes()
  rig.advance(0.06)
  await turns()
  await say(rig, DIALLED)
  t.is(rig.wakes(), before + 1)
})

test('notifications now and then are no series', async (t) => {
  t.timeout(WATCHDOG_MS)
  const rig = makeRig(t)
  rig.notifier.keepAwake(true)
  for (let i = 0; i < 5; i++) {
    rig.advance(1)
    await say(rig, DIALLED)
    await turns()
  }
  t.is(rig.wakes(), 5)
})

test('notifications of accepted connections do not keep it awake', async (t) => {
  t.timeout(WATCHDOG_MS)
  const rig = makeRig(t)
  rig.notifier.keepAwake(true)
  for (let i = 0; i < 5; i++) await say(rig, ACCEPTED)
  t.is(rig.wakes(), 5)
})

test('it goes to sleep in the middle of a series when it is no longer to stay awake', async (t) => {
  t.timeout(WATCHDOG_MS)
  const rig = makeRig(t)
  rig.notifier.keepAwake(true)
  for (let i = 0; i < 3; i++) await say(rig, DIALLED)
  rig.notifier.keepAwake(false)
  await turns()
  const before = rig.wakes()
  await say(rig, DIALLED)
  t.is(rig.wakes(), before + 1)
})

test('no notification is lost, however it falls between looking and sleeping', async (t) => {
  t.timeout(WATCHDOG_MS)
  const rig = makeRig(t)
  rig.notifier.keepAwake(true)
  for (let i = 0; i < 2_000; i++) {
    // Long enough for the next turn to be the last one, every other time.
    rig.advance(i % 2 === 0 ? 0.01 : 0.06)
    await say(rig, i % 7 === 0 ? ACCEPTED : DIALLED)
  }
  t.is(rig.heard.length, 2_000)
})
