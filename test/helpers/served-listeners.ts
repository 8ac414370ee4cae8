/** Listeners that a shard serves itself, in the thread of the test. */
import { ShardLoads } from '../../engine/protocol/shard-loads.js'
import { createCounters } from '../../engine/protocol/counters.js'
import { systemClock } from '../../engine/protocol/clock.js'
import type { MainCallbacks } from '../../engine/protocol/control.js'
import { Surplus } from '../../workers/accepting/surplus.js'
import type { ShardDescriptors } from '../../workers/descriptors.js'
import { HandlerMeter } from '../../workers/handlers/handler-meter.js'
import { HandlerModules } from '../../workers/handlers/handler-modules.js'
import { ServedLanes } from '../../workers/handlers/served-lanes.js'
import { ServedListeners } from '../../workers/handlers/served-listeners.js'
import { Meter } from '../../workers/meter.js'
import { OwnLoad } from '../../workers/own-load.js'

export function servedListeners(
  main: Pick<MainCallbacks, 'served' | 'listenerFailed' | 'handOn'>,
  descriptors: ShardDescriptors,
  counters = createCounters(),
): ServedListeners {
  const clock = systemClock
  const load = new OwnLoad(ShardLoads.create(1), 0)
  const lanes = new ServedLanes(0, 1, new Meter(counters, clock), new HandlerMeter(counters, clock), load, clock)
  const environment = { shard: 0, generation: 1, lanes, modules: new HandlerModules(), clock }
  return new ServedListeners(environment, main, descriptors, new Surplus(load, descriptors, main))
}
