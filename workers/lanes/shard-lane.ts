/** A lane as its pump gets it. */
import type { SlabTable } from '../../engine/protocol/slab-table.js'
import type { Meter } from '../meter.js'
import type { HopStamps } from './hop-stamps.js'

/** A read or write of this size is part of a stream: the shard will be busy with the next one, not asleep. */
export const BULK_BYTES = 16_384

/** Tells whoever has the other end of a lane to look at it. */
export interface LaneBell {
  /** `busy`: more of the same follows right now. */
  notify(laneId: number, busy?: boolean): void
  /** For what can wait a moment, such as a connection that comes or goes. */
  notifySoon(laneId: number): void
}

/** With what the pump needs of the shard. */
export interface ShardLane {
  readonly id: number
  readonly words: Int32Array
  /** Where the lane's words begin in `words`. */
  readonly base: number
  readonly slabs: SlabTable
  readonly bell: LaneBell
  readonly meter: Meter
  /** Undefined: hops are not traced. */
  readonly stamps: HopStamps | undefined
}
