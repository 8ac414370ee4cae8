/** A lane as its pump gets it, with what the pump needs of the shard. */
import type { BellNotifier } from '../../engine/protocol/bell.js'
import type { SlabTable } from '../../engine/protocol/slab-table.js'
import type { Meter } from '../meter.js'

export interface ShardLane {
  readonly id: number
  readonly words: Int32Array
  /** Where the lane's words begin in `words`. */
  readonly base: number
  readonly slabs: SlabTable
  readonly bell: BellNotifier
  readonly meter: Meter
}
