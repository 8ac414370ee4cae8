import test from 'ava'
import fc from 'fast-check'
import { Backoff, type BackoffSettings, type Jitter } from '../../../engine/common/backoff.js'

const settings = (jitter: Jitter): BackoffSettings => ({ initialMs: 100, maxMs: 5_000, factor: 3, jitter })

function delays(of: BackoffSettings, random: () => number, count: number): number[] {
  const found: number[] = []
  for (let at = Backoff.first(of, random); found.length < count; at = at.next()) found.push(at.delayMs)
  return found
}

test('without jitter pauses grow by the factor up to the longest', (t) => {
  t.deepEqual(
    delays(settings('none'), () => 0.5, 6),
    [100, 300, 900, 2_700, 5_000, 5_000],
  )
})

test('full jitter draws each pause from zero to what it would be without', (t) => {
  t.deepEqual(
    delays(settings('full'), () => 0.5, 6),
    [50, 150, 450, 1_350, 2_500, 2_500],
  )
})

test('decorrelated jitter grows from the pause before, not from the number of attempts', (t) => {
  t.deepEqual(
    delays(settings('decorrelated'), () => 0, 4),
    [100, 100, 100, 100],
  )
  t.deepEqual(
    delays(settings('decorrelated'), () => 0.5, 4),
    [100, 200, 350, 575],
  )
})

test('a state can be continued more than once', (t) => {
  const second = Backoff.first(settings('none'), () => 0).next()
  t.is(second.next().delayMs, second.next().delayMs)
})

test('a pause stays within its bounds, whatever the random numbers', (t) => {
  const drawn = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    minLength: 1,
    maxLength: 40,
  })
  fc.assert(
    fc.property(fc.constantFrom<Jitter>('decorrelated', 'full', 'none'), drawn, (jitter, values) => {
      let at = 0
      const random = (): number => values[at++ % values.length] ?? 0
      for (const delay of delays(settings(jitter), random, 40)) {
        const least = jitter === 'full' ? 0 : 100
        if (delay < least || delay > 5_000) return false
      }
      return true
    }),
  )
  t.pass()
})
