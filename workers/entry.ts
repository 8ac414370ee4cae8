/** A shard: the module that a worker thread runs. It never returns while the shard lives. */
import net from 'node:net'
import * as Comlink from 'comlink'
import { AcceptLogWriter } from '../engine/protocol/accept-log.js'
import { BellListener, BellNotifier } from '../engine/protocol/bell.js'
import type { ShardBoot, MainCallbacks } from '../engine/protocol/control.js'
import { systemClock } from '../engine/protocol/clock.js'
import { readWakeups, WakeupSocket } from '../engine/protocol/wakeup-socket.js'
import { ControlServer } from './control-server.js'
import { Meter } from './meter.js'
import { WakeLoop } from './wake-loop.js'

/** What main is told once the shard listens for control calls. */
export const SHARD_READY = 'shard-ready'

export default async function runShard(boot: ShardBoot): Promise<'stopped'> {
  const listener = new BellListener(boot.shardBell)
  const meter = new Meter(boot.counters, systemClock)
  let onNotify: (laneId: number) => boolean = () => false
  const news = new WakeLoop(
    listener,
    systemClock,
    (laneId) => onNotify(laneId),
    () => {
      meter.count('wakes', 1)
    },
  )
  const line = await connectLine(boot.wakeupPath, news.wake)
  const bell = new BellNotifier(boot.mainBell, (busy) => {
    // Main may have had no descriptor left for its end of the line: a wake-up that is lost is never made up for.
    if (busy || line?.wake() !== true) boot.bell.postMessage(0)
  })
  const events = Comlink.wrap<MainCallbacks>(boot.events)
  await new Promise<void>((stop) => {
    const server = new ControlServer(bell, new AcceptLogWriter(boot.acceptLog), events, meter, stop)
    onNotify = (laneId) => server.onNotify(laneId)
    boot.bell.on('message', news.wake)
    Comlink.expose(server, boot.control)
    news.start()
    boot.bell.postMessage(SHARD_READY)
  })
  line?.close()
  boot.events.close()
  boot.control.close()
  boot.bell.close()
  return 'stopped'
}

/** Undefined where main offers none, or it cannot be reached: the port serves alone then. */
function connectLine(path: string | undefined, onWake: () => void): Promise<WakeupSocket | undefined> {
  if (path === undefined) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const socket = net.connect({ path, onread: readWakeups(onWake) })
    socket.once('connect', () => {
      resolve(new WakeupSocket(socket))
    })
    socket.once('error', () => {
      resolve(undefined)
    })
  })
}
