/** A shard: the module that a worker thread runs. It never returns while the shard lives. */
import * as Comlink from 'comlink'
import { BellListener, BellRinger } from '../engine/shared/bell.js'
import type { ShardBoot, ShardEvents } from '../engine/shared/control.js'
import { count } from '../engine/shared/counters.js'
import { ControlServer } from './control-server.js'

/** What main is told once the shard listens for control calls. */
export const SHARD_READY = 'shard-ready'

export default async function runShard(boot: ShardBoot): Promise<'stopped'> {
  const stopped = new Promise<void>((resolve) => {
    const bell = new BellRinger(boot.mainBell, () => {
      boot.bell.postMessage(0)
    })
    const events = Comlink.wrap<ShardEvents>(boot.events)
    const server = new ControlServer(bell, events, boot.counters, resolve)
    const listener = new BellListener(boot.shardBell)
    const visit = (laneId: number): void => {
      server.onNews(laneId)
    }
    const listen = (): void => {
      count(boot.counters, 'wakes', 1)
      do listener.take(visit)
      while (!listener.park())
    }
    boot.bell.on('message', listen)
    Comlink.expose(server, boot.control)
    listener.park()
    boot.bell.postMessage(SHARD_READY)
  })
  await stopped
  boot.events.close()
  boot.control.close()
  boot.bell.close()
  return 'stopped'
}
