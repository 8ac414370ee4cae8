/** Which shard a new connection goes to: the least loaded one that is up, the first of equals. */
import type { Shard } from './shard.js'

export function leastLoaded(shards: readonly Shard[]): Shard | undefined {
  let best: Shard | undefined
  for (const shard of shards) if (shard.isUp && (best === undefined || shard.load < best.load)) best = shard
  return best
}
