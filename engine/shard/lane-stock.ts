/** The lanes that main has lent to a shard, one for each connection to come; topped up when half of them are gone. */
import type { LaneGrant } from '../protocol/lane.js'
import { STOCK_LANES } from '../protocol/accept-log.js'
import { intent, lane, life } from '../protocol/ring-layout.js'
import type { ControlClient } from './control-client.js'
import type { ShardLanes } from './shard-lanes.js'

/** What the rings of a stock take at most, unless those of a single lane take more. */
const STOCK_BYTES = 4_194_304

export class LaneStock {
  readonly #lanes: ShardLanes
  readonly #control: ControlClient
  readonly #isWanted: () => boolean
  /** Lanes that the shard has in stock at most. */
  readonly #size: number
  /** Lanes that were lent and carry no connection yet: in stock, or given away to a connection that is not taken. */
  readonly #idle = new Map<number, LaneGrant>()
  /** Of those, how many the shard is not known to have given away. */
  #inStock = 0
  /** The shard knows that it gets no more for now. */
  #isOut = false
  /** Lanes whose connection was rejected, until the shard has closed it. */
  readonly #rejected = new Map<number, LaneGrant>()

  /** `isWanted`: whether there is a listener for which lanes may be lent. */
  constructor(lanes: ShardLanes, control: ControlClient, isWanted: () => boolean) {
    this.#lanes = lanes
    this.#control = control
    this.#isWanted = isWanted
    this.#size = Math.max(1, Math.min(STOCK_LANES, Math.floor(STOCK_BYTES / lanes.bytesPerLane)))
  }

  get idleLanes(): number {
    return this.#idle.size
  }

  fillUpIfLow(): void {
    // Seldom enough that the call costs little for each lane.
    if (this.#inStock <= this.#size / 2) this.fillUp()
  }

  fillUp(): void {
    if (!this.#isWanted()) return
    const lanes: LaneGrant[] = []
    // As many again may be given away and not taken: then no more are lent.
    const wanted = Math.min(this.#size - this.#inStock, 2 * this.#size - this.#idle.size)
    try {
      while (lanes.length < wanted) lanes.push(this.#lanes.takeIdle())
    } catch {
      // So many connections, or so little memory, that there are not even lanes for a stock.
    }
    if (lanes.length === 0) {
      // Said once: connections that come meanwhile wait in the shard, which reports each.
      if (this.#inStock > 0 || this.#isOut) return
      this.#isOut = true
    } else {
      this.#isOut = false
      this.#inStock += lanes.length
      for (const grant of lanes) this.#idle.set(grant.id, grant)
    }
    void this.#control.announce('lend', lanes)
  }

  /** The shard has given a lane away. Undefined: it is not one of the stock. */
  onGivenAway(laneId: number): LaneGrant | undefined {
    const grant = this.#idle.get(laneId)
    if (grant === undefined) return undefined
    this.#inStock--
    this.fillUpIfLow()
    return grant
  }

  /** The lane's connection is taken. False: the lane has left the stock before. */
  remove(grant: LaneGrant): boolean {
    return this.#idle.delete(grant.id)
  }

  /** A lane that was removed: its connection is not wanted. */
  reject(grant: LaneGrant): void {
    this.#rejected.set(grant.id, grant)
    // The intent before the look: it may have closed by itself, and does not notify again.
    Atomics.store(this.#lanes.wordsOf(grant), this.#lanes.baseOf(grant) + lane.OUT_INTENT, intent.DESTROY)
    this.releaseIfClosed(grant.id)
    if (this.#rejected.has(grant.id)) this.#lanes.notify(grant.id)
  }

  /** Takes the lane of a rejected connection back that the shard has closed. */
  releaseIfClosed(laneId: number): void {
    const grant = this.#rejected.get(laneId)
    if (grant === undefined) return
    if (Atomics.load(this.#lanes.wordsOf(grant), this.#lanes.baseOf(grant) + lane.LIFE) !== life.CLOSED) return
    this.#rejected.delete(laneId)
    this.#lanes.giveIdle(grant)
  }

  /** Takes back what the shard still has; `beforeReturn` is called when it has answered. */
  empty(beforeReturn: () => void): void {
    const take = (laneIds: readonly number[]): void => {
      beforeReturn()
      for (const grant of laneIds.map((id) => this.#idle.get(id)).filter((found) => found !== undefined)) {
        this.#idle.delete(grant.id)
        this.#inStock--
        this.#lanes.giveIdle(grant)
      }
      // For a listener that was opened meanwhile.
      this.fillUp()
    }
    // A rejection means that the shard is lost, which `lose()` says.
    this.#control.call('giveBack').then(take, () => undefined)
  }

  /** The shard is lost, and uses none of its lanes any more. */
  lose(): void {
    for (const grant of [...this.#idle.values(), ...this.#rejected.values()]) this.#lanes.giveIdle(grant)
    this.#idle.clear()
    this.#rejected.clear()
  }
}
