/** A shard: the module that a worker thread runs. */
import net from 'node:net'
import * as Comlink from 'comlink'
import { AcceptLogWriter } from '../engine/protocol/accept-log.js'
import { BellListener, BellNotifier } from '../engine/protocol/bell.js'
import type { ShardBoot, MainCallbacks } from '../engine/protocol/control.js'
import { systemClock } from '../engine/protocol/clock.js'
import { hopClock } from '../engine/protocol/hop-clock.js'
import { ShardLoads } from '../engine/protocol/shard-loads.js'
import { readWakeups, WakeupSocket } from '../engine/protocol/wakeup-socket.js'
import { OwnLoad } from './own-load.js'
import { ShardListeners } from './accepting/shard-listeners.js'
import { Surplus } from './accepting/surplus.js'
import { ControlServer } from './control-server.js'
import { ShardDescriptors } from './descriptors.js'
import { HandlerMeter } from './handlers/handler-meter.js'
import { HandlerModules } from './handlers/handler-modules.js'
import { ServedLanes } from './handlers/served-lanes.js'
import { ServedMemory } from './handlers/served-memory.js'
import { ServedModules } from './handlers/served-modules.js'
import { Pumps } from './lanes/pumps.js'
import { Meter } from './meter.js'
import { WakeLoop } from './wake-loop.js'

/** It never returns while the shard lives. */
async function runShard(boot: ShardBoot): Promise<'stopped'> {
  const meter = new Meter(boot.counters, systemClock)
  const bell = new BellNotifier(boot.mainBell, (busy) => {
    // Main may have had no descriptor left for its end of the socket: a wake-up that is lost is never made up for.
    if (busy || wakeupSocket?.wake() !== true) boot.bell.postMessage(0)
  })
  const load = new OwnLoad(new ShardLoads(boot.loads), boot.shard)
  const pumps = new Pumps(bell, meter, load, boot.tracesHops ? hopClock : undefined)
  const wakeLoop = new WakeLoop(new BellListener(boot.shardBell), pumps.onNotify, () => meter.countWake())
  const wakeupSocket = await connectWakeupSocket(boot.wakeupPath, wakeLoop.wake)
  const main = Comlink.wrap<MainCallbacks>(boot.events)
  const descriptors = new ShardDescriptors()
  const surplus = new Surplus(load, descriptors, main)
  const log = new AcceptLogWriter(boot.acceptLog)
  const listeners = new ShardListeners(pumps, bell, log, main, descriptors, load, surplus)
  const { shard, generation } = boot
  const clock = systemClock
  const handlerMeter = new HandlerMeter(boot.counters, clock)
  const memory = new ServedMemory(handlerMeter, load, (address, length) => void main.mapped(address, length))
  const lanes = new ServedLanes(shard, meter, handlerMeter, load, clock, memory.duplicate)
  const modules = new HandlerModules()
  const served = new ServedModules({ shard, generation, lanes, memory, modules, clock }, main, descriptors, surplus)
  await new Promise<void>((stop) => {
    Comlink.expose(new ControlServer(pumps, listeners, served, descriptors, main, stop), boot.control)
    boot.bell.on('message', wakeLoop.wake)
    wakeLoop.start()
    // The first message says that the shard answers control calls.
    boot.bell.postMessage(0)
  })
  wakeupSocket?.close()
  descriptors.close()
  boot.events.close()
  boot.control.close()
  boot.bell.close()
  return 'stopped'
}

/** For a bundler to find: the engine alone calls it, in a thread. */
const entry: (boot: never) => Promise<'stopped'> = runShard
export default entry

/** Undefined where main offers none, or it cannot be reached: the port serves alone then. */
function connectWakeupSocket(path: string | undefined, onWake: () => void): Promise<WakeupSocket | undefined> {
  if (path === undefined) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const socket = net.connect({ path, onread: readWakeups(onWake) })
    socket.once('connect', () => resolve(new WakeupSocket(socket)))
    socket.once('error', () => resolve(undefined))
  })
}
