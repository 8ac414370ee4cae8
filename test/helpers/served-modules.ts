/** Handler modules that serve in a shard, in the thread of the test. */
import { createCounters } from '../../engine/protocol/counters.js'
import { systemClock } from '../../engine/protocol/clock.js'
import type { MainCallbacks } from '../../engine/protocol/control.js'
import { HandlerMeter } from '../../workers/handlers/handler-meter.js'
import { HandlerModules } from '../../workers/handlers/handler-modules.js'
import { ServedLanes } from '../../workers/handlers/served-lanes.js'
import { ServedMemory } from '../../workers/handlers/served-memory.js'
import { ServedModules } from '../../workers/handlers/served-modules.js'
import { Meter } from '../../workers/meter.js'
import type { DescriptorSource, MainSide } from '../../workers/shard-transport.js'

export function servedModules(
  main: Pick<MainCallbacks, 'served' | 'listenerFailed'> & MainSide,
  descriptors: DescriptorSource,
  counters = createCounters(),
): ServedModules {
  const clock = systemClock
  const meter = new HandlerMeter(counters, clock)
  const memory = new ServedMemory(() => undefined)
  const lanes = new ServedLanes(0, 1, new Meter(counters, clock), meter, clock, memory.duplicate)
  return new ServedModules(
    { shard: 0, generation: 1, lanes, memory, meter, modules: new HandlerModules(), clock },
    main,
    descriptors,
  )
}
