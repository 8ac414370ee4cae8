/** The memory of connections that a shard serves itself. */
import test from 'ava'
import { createCounters } from '../../../engine/protocol/counters.js'
import { SLAB_BYTES } from '../../../engine/protocol/ring-layout.js'
import { ShardLoads } from '../../../engine/protocol/shard-loads.js'
import { HandlerMeter } from '../../../workers/handlers/handler-meter.js'
import { ServedLanes } from '../../../workers/handlers/served-lanes.js'
import { Meter } from '../../../workers/meter.js'
import { OwnLoad } from '../../../workers/own-load.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { signal, turns } from '../../helpers/turns.js'

const SPARE_MS = 30_000
const SLABS = 3
/** So much stays for the next connection. */
const KEPT = 1

// It must outlive what it watches.
const registry = new FinalizationRegistry<() => void>((onCollected) => onCollected())

test('ring memory that was spare for a while is given up', async (t) => {
  t.timeout(10_000)
  const clock = new FakeClock()
  const counters = createCounters()
  const load = new OwnLoad(ShardLoads.create(1), 0)
  const lanes = new ServedLanes(
    0,
    new Meter(counters, clock),
    new HandlerMeter(counters, clock),
    load,
    clock,
    () => undefined,
  )
  const regions: number[] = []
  let left = SLABS
  const collected = signal()
  const onCollected = (): void => {
    if (--left === KEPT) collected.resolve()
  }
  const watch = (region: number): void => registry.register(lanes.slabs.slabOf(region).memory, onCollected)
  while (regions.length < SLABS) {
    const region = lanes.takeRegion(SLAB_BYTES, () => undefined)
    if (region === undefined) {
      // The slab of the next one becomes known in this turn.
      await turns()
    } else {
      regions.push(region)
      watch(region)
    }
  }
  for (const region of regions) lanes.giveRegion(region)
  clock.advance(SPARE_MS)
  await collected.promise
  t.is(left, KEPT)
})
