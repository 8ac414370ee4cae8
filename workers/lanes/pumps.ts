/** The data plane of a shard: its lanes, its memory, and the pump of each lane. */
import type { HopClock } from '../../engine/protocol/hop-clock.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import { LaneTable } from '../../engine/protocol/lane.js'
import { SlabTable } from '../../engine/protocol/slab-table.js'
import { transportTraits, type Role, type TransportKind } from '../../engine/protocol/target.js'
import type { OwnLoad } from '../own-load.js'
import type { Meter } from '../meter.js'
import { HopStamps } from './hop-stamps.js'
import { Pump } from './pump.js'
import type { LaneBell } from './shard-lane.js'

export class Pumps {
  readonly lanes = new LaneTable()
  readonly slabs = new SlabTable()
  readonly #bell: LaneBell
  readonly #meter: Meter
  readonly #load: OwnLoad
  readonly #hopClock: HopClock | undefined
  readonly #byLane: (Pump | undefined)[] = []

  /** `hopClock`: for what main traces. Undefined: nothing. */
  constructor(bell: LaneBell, meter: Meter, load: OwnLoad, hopClock?: HopClock) {
    this.#hopClock = hopClock
    this.#load = load
    this.#bell = bell
    this.#meter = meter
  }

  /** Main has something for a lane, whose pump may be gone. */
  readonly onNotify = (laneId: number): void => {
    this.#byLane[laneId]?.onNotify()
  }

  open(id: number, role: Role, kind: TransportKind): Pump {
    const words = this.lanes.wordsOf(id)
    const base = this.lanes.baseOf(id)
    const stamps = this.#hopClock && new HopStamps(words, base, this.#hopClock)
    const lane = { id, words, base, slabs: this.slabs, bell: this.#bell, meter: this.#meter, stamps }
    const pump = new Pump(lane, role, transportTraits[kind].halfClose, this.#onGone)
    this.#byLane[id] = pump
    this.#load.opened()
    return pump
  }

  /** The socket that a lane's bytes leave by as they are. */
  writerOf(laneId: number): SocketHandle | undefined {
    return this.#byLane[laneId]?.writer
  }

  destroyAll(): void {
    for (const pump of this.#byLane) pump?.destroy()
  }

  readonly #onGone = (laneId: number): void => {
    this.#byLane[laneId] = undefined
    this.#load.closed()
  }
}
