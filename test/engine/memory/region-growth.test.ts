/** Rings that would grow where there is no memory: they stay as they are, and it is tried again. */
import test from 'ava'
import { createRegions } from '../../helpers/fresh-memory.js'
import { RegionGrowth } from '../../../engine/memory/region-growth.js'
import { FakeAnnouncer } from '../../helpers/fake-announcer.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'

const SIZE = 131_072

test.serial('without memory nothing is taken, and the callback comes once, a second later', async (t) => {
  const announcer = new FakeAnnouncer()
  const regions = createRegions(announcer)
  const clock = new FakeClock()
  const growth = new RegionGrowth(regions, clock)
  const calls: string[] = []
  withoutMemory(SIZE, () => {
    t.is(
      growth.take(SIZE, () => calls.push('one')),
      undefined,
    )
  })
  // Not tried at once, although there is memory again: each failure is expensive.
  t.is(
    growth.take(SIZE, () => calls.push('two')),
    undefined,
  )
  t.is(announcer.added.length, 0)
  t.is(regions.regionsInUse, 0)
  t.is(clock.keepingAlive, 0)
  clock.advance(999)
  t.deepEqual(calls, [])
  clock.advance(1)
  t.deepEqual(calls, ['one', 'two'])
  t.is(
    growth.take(SIZE, () => calls.push('three')),
    undefined,
  )
  await announcer.acknowledge()
  t.deepEqual(calls, ['one', 'two', 'three'])
  const region = growth.take(SIZE, () => calls.push('four'))
  t.is(regions.regionsInUse, 1)
  regions.give(region ?? 0)
  t.is(clock.armed, 0)
})

test.serial('no callback comes after the end', (t) => {
  const clock = new FakeClock()
  const growth = new RegionGrowth(createRegions(new FakeAnnouncer()), clock)
  withoutMemory(SIZE, () => growth.take(SIZE, () => t.fail()))
  growth.end()
  t.is(clock.armed, 0)
  clock.advance(10_000)
})

test('an error other than a lack of memory is thrown', (t) => {
  const mistake = new Error('a mistake')
  const regions = {
    takeKnown: () => {
      throw mistake
    },
  }
  const growth = new RegionGrowth(regions, new FakeClock())
  t.is(
    t.throws(() => growth.take(SIZE, () => undefined)),
    mistake,
  )
})
