/** How to wait for replies: the tuner finds the fastest way, and leaves it when it is no longer the fastest. */
import test from 'ava'
import { SpinTuner } from '../../../engine/wake/spin-tuner.js'

type Costs = Readonly<Record<'sleep' | 'spin' | 'both', number>>

function modeOf(tuner: SpinTuner): keyof Costs {
  if (tuner.awakeMs === undefined) return 'sleep'
  return tuner.shardsStayAwake ? 'both' : 'spin'
}

/** Records `count` replies, each as late as its mode makes it. Returns how many came in each mode. */
function reply(tuner: SpinTuner, count: number, ms: Costs): Record<keyof Costs, number> {
  const seen = { sleep: 0, spin: 0, both: 0 }
  for (let i = 0; i < count; i++) {
    const mode = modeOf(tuner)
    seen[mode]++
    tuner.onReply(mode !== 'sleep', ms[mode])
  }
  return seen
}

const cases: readonly (readonly [string, Costs, keyof Costs])[] = [
  ['main alone spins where a spinning shard would make it worse', { sleep: 0.06, spin: 0.04, both: 0.15 }, 'spin'],
  ['both stay awake where that is much better', { sleep: 0.06, spin: 0.03, both: 0.01 }, 'both'],
  ['a small gain does not keep both awake', { sleep: 0.06, spin: 0.04, both: 0.036 }, 'spin'],
  ['neither spins where sleeping is much better', { sleep: 0.02, spin: 0.2, both: 0.5 }, 'sleep'],
]

for (const [title, ms, best] of cases) {
  test(`${title}, and other ways are tried in few replies`, (t) => {
    const tuner = new SpinTuner()
    reply(tuner, 20_000, ms)
    const seen = reply(tuner, 100_000, ms)
    t.true(seen[best] > 98_000, JSON.stringify(seen))
    // Shards have nothing to stay awake for while main sleeps.
    const others = Object.entries(seen).filter(([mode]) => mode !== best && !(best === 'sleep' && mode === 'both'))
    for (const [mode, count] of others) t.true(count > 0, `${mode} was never tried again`)
  })
}

test('both stay awake only while that is better, however little worse it has become', (t) => {
  const tuner = new SpinTuner()
  reply(tuner, 20_000, { sleep: 0.06, spin: 0.03, both: 0.01 })
  t.is(modeOf(tuner), 'both')
  const seen = reply(tuner, 100_000, { sleep: 0.06, spin: 0.03, both: 0.033 })
  t.true(seen.spin > 90_000, JSON.stringify(seen))
})

test('trials that gain nothing become rare, however slow all replies are', (t) => {
  const tuner = new SpinTuner()
  reply(tuner, 20_000, { sleep: 0.3, spin: 0.5, both: 0.7 })
  const seen = reply(tuner, 100_000, { sleep: 0.3, spin: 0.5, both: 0.7 })
  t.true(seen.sleep > 98_000, JSON.stringify(seen))
})

test('main spins again after a time in which spinning did not pay', (t) => {
  const tuner = new SpinTuner()
  reply(tuner, 20_000, { sleep: 0.08, spin: 0.15, both: 0.15 })
  t.is(modeOf(tuner), 'sleep')
  const seen = reply(tuner, 100_000, { sleep: 0.085, spin: 0.045, both: 0.15 })
  t.true(seen.spin > 75_000, JSON.stringify(seen))
})
