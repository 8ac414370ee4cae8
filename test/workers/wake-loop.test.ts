/** How a shard takes notifications: it sleeps until it is woken, and loses none. */
import test from 'ava'
import { BellListener, BellNotifier, createBellMemory } from '../../engine/protocol/bell.js'
import { WakeLoop } from '../../workers/wake-loop.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { until } from '../helpers/turns.js'

const WATCHDOG_MS = 20_000

failOnWarnings()

interface Rig {
  readonly notifier: BellNotifier
  readonly heard: number[]
  readonly wakes: () => number
}

/** `onNotify` is called for each lane that was heard. */
function makeRig(onNotify: (laneId: number) => void = () => undefined): Rig {
  const memory = createBellMemory()
  const heard: number[] = []
  let wakes = 0
  const loop = new WakeLoop(
    new BellListener(memory),
    (laneId) => {
      heard.push(laneId)
      onNotify(laneId)
    },
    () => {
      wakes++
    },
  )
  const notifier = new BellNotifier(memory, () => {
    setImmediate(loop.wake)
  })
  loop.start()
  return { notifier, heard, wakes: () => wakes }
}

test('a shard that sleeps is woken once for all that it is notified of in a turn', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { notifier, heard, wakes } = makeRig()
  for (let round = 1; round <= 5; round++) {
    for (const lane of [1, 2, 3]) notifier.notify(lane)
    await until(() => heard.length === 3 * round)
    t.is(wakes(), round)
  }
})

test('what comes while it looks needs no wake-up', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { notifier, heard, wakes } = makeRig((laneId) => {
    if (laneId < 10) notifier.notify(laneId + 1)
  })
  notifier.notify(1)
  await until(() => heard.length === 10)
  t.is(wakes(), 1)
})

test('no notification is lost, however it falls between looking and sleeping', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { notifier, heard } = makeRig()
  for (let i = 1; i <= 2_000; i++) {
    notifier.notify(i % 7)
    await until(() => heard.length >= i)
  }
  t.is(heard.length, 2_000)
})
