/** Listeners that a shard serves itself, in the thread of the test. */
import { createCounters } from '../../engine/protocol/counters.js'
import { systemClock } from '../../engine/protocol/clock.js'
import type { MainCallbacks } from '../../engine/protocol/control.js'
import { HandlerMeter } from '../../workers/handlers/handler-meter.js'
import { HandlerModules } from '../../workers/handlers/handler-modules.js'
import { ServedLanes } from '../../workers/handlers/served-lanes.js'
import { ServedListeners } from '../../workers/handlers/served-listeners.js'
import { Meter } from '../../workers/meter.js'
import type { DescriptorSource } from '../../workers/shard-transport.js'

export function servedListeners(
  main: Pick<MainCallbacks, 'served' | 'listenerFailed'>,
  descriptors: DescriptorSource,
  counters = createCounters(),
): ServedListeners {
  const clock = systemClock
  const lanes = new ServedLanes(0, new Meter(counters, clock), new HandlerMeter(counters, clock), clock)
  return new ServedListeners(
    { shard: 0, generation: 1, lanes, modules: new HandlerModules(), clock },
    main,
    descriptors,
  )
}
