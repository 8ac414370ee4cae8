/** The bell loop: what one turn gives to each connection. */
import test from 'ava'
import { Doorbell, type BellSource } from '../../../engine/wake/doorbell.js'
import { wakeStrategyOf } from '../../../engine/wake/wake-policy.js'
import { BellListener, BellNotifier, createBellMemory } from '../../../engine/protocol/bell.js'
import { turns } from '../../helpers/turns.js'

const LANE = 3

test('a connection that always has more work gets one budget for each turn and bell, however often it is notified', async (t) => {
  const doorbell = new Doorbell(wakeStrategyOf('park'), () => true)
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
    stayAwake: () => undefined,
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

for (const [count, isAlone] of [
  [1, true],
  [2, true],
  [3, false],
] as const) {
  test(`each of ${String(count)} flushes of one turn is ${isAlone ? 'alone' : 'one of many'}`, async (t) => {
    const doorbell = new Doorbell(wakeStrategyOf('park'), () => true)
    const seen: boolean[] = []
    const flushable = { flush: (alone: boolean) => void seen.push(alone) }
    const expected = Array.from({ length: count }, () => isAlone)
    for (let i = 0; i < count; i++) doorbell.flushSoon(flushable)
    await Promise.resolve()
    t.deepEqual(seen, expected)
    // The same at the end of a turn of the doorbell's own.
    doorbell.revisit({
      onNotify: () => {
        for (let i = 0; i < count; i++) doorbell.flushSoon(flushable)
        return false
      },
    })
    await turns(2)
    t.deepEqual(seen, [...expected, ...expected])
  })
}
