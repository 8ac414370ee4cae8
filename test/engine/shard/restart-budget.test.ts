import test from 'ava'
import fc from 'fast-check'
import { RestartBudget, type RestartOptions } from '../../../engine/shard/restart-budget.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { holds } from '../../helpers/property.js'

const OPTIONS: RestartOptions = { max: 4, windowMs: 1_000, initialDelayMs: 50, maxDelayMs: 150 }

function create(options: Partial<RestartOptions> = {}): { clock: FakeClock; budget: RestartBudget } {
  const clock = new FakeClock()
  return { clock, budget: new RestartBudget({ ...OPTIONS, ...options }, () => clock.now()) }
}

test('each restart in a row waits twice as long, up to the longest pause', (t) => {
  const { budget } = create()
  t.deepEqual([budget.next(), budget.next(), budget.next(), budget.next()], [50, 100, 150, 150])
})

test('a spent budget allows no restart', (t) => {
  const { budget } = create({ max: 1 })
  t.is(budget.next(), 50)
  t.is(budget.next(), undefined)
  t.is(budget.next(), undefined)
})

test('a budget of 0 allows no restart from the start', (t) => {
  t.is(create({ max: 0 }).budget.next(), undefined)
})

test('a restart counts until its window has passed, and no longer', (t) => {
  const { clock, budget } = create({ max: 1 })
  t.is(budget.next(), 50)
  clock.advance(999)
  t.is(budget.next(), undefined)
  clock.advance(1)
  t.is(budget.next(), 50)
})

test('the pause depends on the restarts still in the window', (t) => {
  const { clock, budget } = create()
  t.is(budget.next(), 50)
  clock.advance(600)
  t.is(budget.next(), 100)
  clock.advance(600)
  t.is(budget.next(), 100, 'the first has left the window')
  clock.advance(5_000)
  t.is(budget.next(), 50, 'all have left it')
})

test('a refused restart does not use up the budget', (t) => {
  const { clock, budget } = create({ max: 1 })
  t.is(budget.next(), 50)
  clock.advance(900)
  t.is(budget.next(), undefined)
  clock.advance(100)
  t.is(budget.next(), 50, 'the refusal of 100 ms ago is no restart')
})

test('a window of 0 never ends the restarts', (t) => {
  const { budget } = create({ max: 1, windowMs: 0 })
  for (let i = 0; i < 100; i++) t.is(budget.next(), 50)
})

test('no window has more restarts than max, no restart is refused while there is room, and every pause is in range', (t) => {
  const options = fc.record({
    max: fc.integer({ min: 0, max: 8 }),
    windowMs: fc.integer({ min: 1, max: 500 }),
    initialDelayMs: fc.integer({ min: 0, max: 100 }),
    maxDelayMs: fc.integer({ min: 100, max: 1_000 }),
  })
  const pauses = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 60 })
  holds(
    t,
    fc.property(options, pauses, (chosen, between) => {
      const { clock, budget } = create(chosen)
      const granted: number[] = []
      for (const pause of between) {
        clock.advance(pause)
        const now = clock.now()
        const recent = granted.filter((at) => now - at < chosen.windowMs).length
        const delay = budget.next()
        if ((delay !== undefined) !== recent < chosen.max) return false
        if (delay === undefined) continue
        granted.push(now)
        if (delay !== Math.min(chosen.maxDelayMs, chosen.initialDelayMs * 2 ** recent)) return false
      }
      return true
    }),
    300,
  )
})
