import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { SlabStore } from '../../../engine/memory/slab-store.js'
import { FakeClock } from '../../helpers/fake-clock.js'

const BYTES = 4096
const LONG = 60_000

interface Rig {
  readonly clock: FakeClock
  readonly store: SlabStore
  /** How often other threads were asked to collect. */
  readonly asked: () => number
}

function create(answer: () => Promise<boolean> = () => Promise.resolve(true)): Rig {
  const clock = new FakeClock()
  let asked = 0
  const store = new SlabStore(BYTES, clock, () => {
    asked++
    return answer()
  })
  return { clock, store, asked: () => asked }
}

test('returned memory is reused before any new memory is made', (t) => {
  const { store } = create()
  const memories = [store.take(), store.take(), store.take()]
  t.is(new Set(memories).size, 3)
  for (const memory of memories) store.give(memory)
  t.is(store.spareBytes, 3 * BYTES)
  const again = [store.take(), store.take(), store.take()]
  t.deepEqual(new Set(again), new Set(memories))
  t.is(store.spareBytes, 0)
})

test('memory that is spare for long is given up, and found again until it is collected', async (t) => {
  const { clock, store, asked } = create()
  const memories = [store.take(), store.take()]
  for (const memory of memories) store.give(memory)
  clock.advance(LONG)
  await nextTurn()
  t.is(asked(), 1)
  t.is(clock.armed, 0, 'an idle engine has no timer')
  // This test still holds both, as a collector that has not run would.
  t.is(store.spareBytes, 2 * BYTES)
  t.deepEqual(new Set([store.take(), store.take()]), new Set(memories))
  t.is(store.spareBytes, 0)
  t.false(memories.includes(store.take()))
})

test('memory that other threads still hold is kept: nothing is made beside it', async (t) => {
  const { clock, store, asked } = create(() => Promise.resolve(false))
  const memory = store.take()
  store.give(memory)
  clock.advance(LONG)
  await nextTurn()
  t.is(asked(), 1)
  t.is(clock.armed, 0)
  t.is(store.take(), memory)
  store.give(memory)
  clock.advance(LONG)
  await nextTurn()
  t.is(asked(), 2, 'it is tried again after the next use')
})

test('memory taken while other threads collect stays in use, and memory returned meanwhile waits its full time', async (t) => {
  let answer: (isGone: boolean) => void = () => undefined
  const { clock, store, asked } = create(
    () =>
      new Promise((resolve) => {
        answer = resolve
      }),
  )
  const [first, second] = [store.take(), store.take()]
  store.give(first)
  clock.advance(LONG)
  t.is(asked(), 1)
  t.is(store.take(), first)
  store.give(second)
  answer(true)
  await nextTurn()
  t.is(store.spareBytes, BYTES)
  t.is(clock.armed, 1, 'for the second')
  clock.advance(LONG)
  answer(true)
  await nextTurn()
  t.is(asked(), 2)
  t.is(clock.armed, 0)
})

test('memory that is reused again and again causes no collection', (t) => {
  const { clock, store, asked } = create()
  for (let i = 0; i < 100; i++) {
    const memory = store.take()
    clock.advance(1_000)
    store.give(memory)
    clock.advance(1_000)
    t.is(store.take(), memory)
    store.give(memory)
  }
  t.is(asked(), 0)
  t.is(clock.armed, 1)
  t.is(clock.keepingAlive, 0)
})

test('a closed store keeps no memory and arms no timer', (t) => {
  const { clock, store } = create()
  const memory = store.take()
  store.give(store.take())
  store.close()
  t.is(clock.armed, 0)
  store.give(memory)
  t.is(store.spareBytes, 0)
  t.is(clock.armed, 0)
})
