/** Handler modules that serve in a shard, in the thread of the test. */
import { ShardLoads } from '../../engine/protocol/shard-loads.js'
import { createCounters } from '../../engine/protocol/counters.js'
import { systemClock } from '../../engine/protocol/clock.js'
import type { MainCallbacks } from '../../engine/protocol/control.js'
import { Surplus } from '../../workers/accepting/surplus.js'
import type { ShardDescriptors } from '../../workers/descriptors.js'
import { HandlerMeter } from '../../workers/handlers/handler-meter.js'
import { HandlerModules } from '../../workers/handlers/handler-modules.js'
import { ServedLanes } from '../../workers/handlers/served-lanes.js'
import { ServedMemory } from '../../workers/handlers/served-memory.js'
import { ServedModules } from '../../workers/handlers/served-modules.js'
import { Meter } from '../../workers/meter.js'
import { OwnLoad } from '../../workers/own-load.js'
import type { MainSide } from '../../workers/shard-transport.js'

export function servedModules(
  main: Pick<MainCallbacks, 'served' | 'listenerFailed' | 'handOn'> & MainSide,
  descriptors: ShardDescriptors,
  counters = createCounters(),
): ServedModules {
  const clock = systemClock
  const load = new OwnLoad(ShardLoads.create(1), 0)
  const meter = new HandlerMeter(counters, clock)
  const memory = new ServedMemory(meter, load, () => undefined)
  const lanes = new ServedLanes(0, new Meter(counters, clock), meter, load, clock, memory.duplicate)
  const environment = { shard: 0, generation: 1, lanes, memory, modules: new HandlerModules(), clock }
  return new ServedModules(environment, main, descriptors, new Surplus(load, descriptors, main))
}
