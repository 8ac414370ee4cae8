/**
 * What this shard tells the others of itself, and whether it has clearly more than its share. See
 * docs/decisions/accept-sharding.md.
 */
import type { ShardLoads } from '../engine/protocol/shard-loads.js'

/** A shard is ahead by more than so many connections over the average, and more than such a part of the average. */
const AHEAD = { connections: 2, part: 1 / 6 }
/**
 * Main handles what comes of them: then the shard's part is small, and handing one on costs more than it evens out for
 * connections that do not last.
 */
const AHEAD_FOR_MAIN = { connections: 64, part: 2 / 3 }
/** While connections go as fast as they come: then they even out by themselves, mostly. */
const AHEAD_IN_CHURN = { connections: 16, part: 2 / 3 }
/** Of so many that this shard accepts ... */
const WINDOW = 64
/** ... the engine has to have so many more connections, or they go as fast as they come. */
const GROWTH = 48

export class OwnLoad {
  readonly #loads: ShardLoads
  readonly #shard: number
  /** How many it has accepted since the window began, and what all shards had then. */
  #accepted = 0
  #before = 0
  #isGrowing = true

  constructor(loads: ShardLoads, shard: number) {
    this.#loads = loads
    this.#shard = shard
  }

  /** It waits for a lane. */
  arrived(): void {
    this.#loads.addConnections(this.#shard, 1)
  }

  /** It waits no more. */
  left(): void {
    this.#loads.addConnections(this.#shard, -1)
  }

  opened(): void {
    this.#loads.addConnections(this.#shard, 1)
  }

  closed(): void {
    this.#loads.addConnections(this.#shard, -1)
  }

  /** It is offered to other shards. */
  offered(): void {
    this.#loads.addLeaving(this.#shard, 1)
  }

  answered(): void {
    this.#loads.addLeaving(this.#shard, -1)
  }

  /**
   * To be asked once for each connection that has been accepted: whether it had better be another shard's. `isServed`:
   * a handler module serves it there, so that the thread has all of its work.
   */
  wouldBeAhead(isServed: boolean): boolean {
    const { all, shards } = this.#loads.total
    if (++this.#accepted === WINDOW) {
      this.#isGrowing = all - this.#before >= GROWTH
      this.#before = all
      this.#accepted = 0
    }
    const average = (all + 1) / Math.max(1, shards)
    const served = this.#isGrowing ? AHEAD : AHEAD_IN_CHURN
    const { connections, part } = isServed ? served : AHEAD_FOR_MAIN
    return this.#loads.connectionsOf(this.#shard) + 1 - average > Math.max(connections, average * part)
  }
}
