import test from 'ava'
import fc from 'fast-check'
import { BellListener, BellNotifier, createBellMemory } from '../../../engine/protocol/bell.js'
import { MAX_LANES } from '../../../engine/protocol/ring-layout.js'
import { countAtomics } from '../../helpers/atomics-hook.js'
import { holds } from '../../helpers/property.js'
import { turns } from '../../helpers/turns.js'

class Bell {
  wakes = 0
  readonly memory = createBellMemory()
  readonly listener = new BellListener(this.memory)
  readonly notifier = new BellNotifier(this.memory, () => {
    this.wakes++
  })

  taken(): number[] {
    const lanes: number[] = []
    this.listener.take((laneId) => lanes.push(laneId))
    return lanes
  }

  get silent(): boolean {
    return new Int32Array(this.memory).every((word) => word === 0)
  }
}

const byNumber = (a: number, b: number): number => a - b

test('a notification is taken once', (t) => {
  const bell = new Bell()
  t.false(bell.listener.hasNotifications)
  bell.notifier.notify(77)
  t.true(bell.listener.hasNotifications)
  t.deepEqual(bell.taken(), [77])
  t.false(bell.listener.hasNotifications)
  t.deepEqual(bell.taken(), [])
  t.true(bell.silent)
})

test('many notifications of a lane are taken as one', (t) => {
  const bell = new Bell()
  for (let i = 0; i < 100; i++) bell.notifier.notify(5)
  t.deepEqual(bell.taken(), [5])
})

test('the bell cannot overflow: all lanes may be notified at once', (t) => {
  const bell = new Bell()
  for (let id = 0; id < MAX_LANES; id++) bell.notifier.notify(id)
  const taken = bell.taken()
  t.is(taken.length, MAX_LANES)
  t.is(new Set(taken).size, MAX_LANES)
  t.true(bell.silent)
})

test('no wake-up comes while the listener is not parked', (t) => {
  const bell = new Bell()
  bell.notifier.notify(1)
  t.is(bell.wakes, 0)
})

test('parking is refused while there are notifications', (t) => {
  const bell = new Bell()
  bell.notifier.notify(1)
  t.false(bell.listener.park())
  bell.notifier.notify(2)
  t.is(bell.wakes, 0, 'the listener is awake')
  t.deepEqual(bell.taken().sort(byNumber), [1, 2])
  t.true(bell.listener.park())
})

test('a burst of notifications costs one wake-up', (t) => {
  const bell = new Bell()
  t.true(bell.listener.park())
  for (let id = 0; id < 1000; id++) bell.notifier.notify(id)
  t.is(bell.wakes, 1)
  t.is(bell.taken().length, 1000)
  t.true(bell.listener.park())
  bell.notifier.notify(3)
  t.is(bell.wakes, 2, 'the next park is woken again')
})

test('a listener that has unparked is not woken', (t) => {
  const bell = new Bell()
  t.true(bell.listener.park())
  bell.listener.unpark()
  bell.notifier.notify(1)
  t.is(bell.wakes, 0)
  t.deepEqual(bell.taken(), [1])
})

test('the notification is there before the wake-up', (t) => {
  const memory = createBellMemory()
  const listener = new BellListener(memory)
  const seen: boolean[] = []
  const notifier = new BellNotifier(memory, () => seen.push(listener.hasNotifications))
  t.true(listener.park())
  notifier.notify(40)
  t.deepEqual(seen, [true])
})

test('a notification that comes during a visit, for any lane, is not lost', (t) => {
  holds(
    t,
    fc.property(fc.nat(MAX_LANES - 1), fc.uniqueArray(fc.nat(MAX_LANES - 1), { maxLength: 20 }), (first, later) => {
      const bell = new Bell()
      bell.notifier.notify(first)
      const visited: number[] = []
      let notified = false
      while (bell.listener.hasNotifications) {
        bell.listener.take((laneId) => {
          visited.push(laneId)
          if (notified) return
          notified = true
          for (const id of later) bell.notifier.notify(id)
        })
      }
      return (
        visited[0] === first &&
        visited.length === 1 + later.length &&
        later.every((id) => visited.indexOf(id, 1) > 0) &&
        bell.silent
      )
    }),
  )
})

type Step = { readonly kind: 'ring'; readonly id: number } | { readonly kind: 'take' | 'park' | 'unpark' }

const anyLane = fc.oneof(
  fc.nat(MAX_LANES - 1),
  fc.nat(70),
  fc.constantFrom(0, 31, 32, 1023, 1024, 10_000, MAX_LANES - 1),
)

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('ring' as const), id: anyLane }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('take' as const, 'park', 'unpark') }) },
)

test('any sequence of notify, take and park behaves like a set with a sleeper', (t) => {
  holds(
    t,
    fc.property(fc.array(anyStep, { maxLength: 200 }), (steps) => {
      const bell = new Bell()
      const marked = new Set<number>()
      let parked = false
      let wakes = 0
      for (const step of steps) {
        switch (step.kind) {
          case 'ring':
            bell.notifier.notify(step.id)
            marked.add(step.id)
            if (parked) wakes++
            parked = false
            break
          case 'take': {
            const expected = [...marked].sort(byNumber)
            marked.clear()
            const taken = bell.taken().sort(byNumber)
            if (taken.join() !== expected.join()) return false
            break
          }
          case 'park':
            parked = marked.size === 0
            if (bell.listener.park() !== parked) return false
            break
          case 'unpark':
            bell.listener.unpark()
            parked = false
            break
        }
        if (bell.wakes !== wakes || bell.listener.hasNotifications !== marked.size > 0) return false
      }
      return true
    }),
    300,
  )
})

// The counts below are steps, not time: `Atomics` is replaced by a counting one for the length of a call.

/** One look at the top word, and emptying it, cover every lane there can be. */
const FIRST_LOOK = 2
/** Emptying the summary word and the leaf word of one lane. */
const STEPS_A_LANE = 2

for (const lanes of [10_000, MAX_LANES]) {
  test.serial(`with ${String(lanes)} lanes, a notification of one visits that lane and costs a few steps`, (t) => {
    for (const id of [0, 4711, lanes - 1]) {
      const bell = new Bell()
      // Every lane has been in use before.
      for (let other = 0; other < lanes; other++) bell.notifier.notify(other)
      t.is(bell.taken().length, lanes)
      t.true(countAtomics(() => bell.notifier.notify(id)) <= 4)
      let visited: number[] = []
      const steps = countAtomics(() => {
        visited = bell.taken()
      })
      t.deepEqual(visited, [id])
      t.true(steps > 0, 'the operations were counted')
      t.true(steps <= FIRST_LOOK + STEPS_A_LANE, String(steps))
    }
  })
}

test.serial('taking the notifications of many lanes costs a few steps for each of them', (t) => {
  const bell = new Bell()
  for (let id = 0; id < MAX_LANES; id += 97) bell.notifier.notify(id)
  let visited = 0
  const steps = countAtomics(() => {
    visited = bell.taken().length
  })
  t.is(visited, Math.ceil(MAX_LANES / 97))
  t.true(steps <= FIRST_LOOK + STEPS_A_LANE * visited)
})

test.serial('parking looks at one word and no further', (t) => {
  const bell = new Bell()
  const steps = countAtomics(() => bell.listener.park())
  t.is(steps, FIRST_LOOK)
})

test.serial('notifying a lane that is notified already leaves the summary alone', (t) => {
  const bell = new Bell()
  const first = countAtomics(() => bell.notifier.notify(9))
  const second = countAtomics(() => bell.notifier.notify(9))
  t.true(second < first)
})

test('a notification that can wait is there at once, and wakes a sleeping listener once, after a turn without more', async (t) => {
  const bell = new Bell()
  bell.listener.park()
  bell.notifier.notifySoon(3)
  bell.notifier.notifySoon(4)
  t.true(bell.listener.hasNotifications)
  t.is(bell.wakes, 0)
  await turns(2)
  t.is(bell.wakes, 1)
  t.deepEqual(bell.taken(), [3, 4])
  bell.notifier.notifySoon(5)
  t.true(bell.listener.hasNotifications)
  await turns(2)
  t.is(bell.wakes, 1, 'the listener does not sleep')
})

test('while more come each turn, such notifications share a wake-up, put off for a few turns at most', async (t) => {
  const bell = new Bell()
  bell.listener.park()
  let wakes = 0
  for (let turn = 0; turn < 80; turn++) {
    bell.notifier.notifySoon(turn % 32)
    await turns()
    if (bell.wakes === wakes) continue
    wakes = bell.wakes
    bell.taken()
    bell.listener.park()
  }
  t.true(wakes >= 80 / 16 && wakes <= 80 / 4, String(wakes))
})
