/** A lane as its pump gets it. */
import type { BellNotifier } from '../../engine/protocol/bell.js'
import type { SlabTable } from '../../engine/protocol/slab-table.js'
import type { Meter } from '../meter.js'

/** A read or write of this size is part of a stream: the shard will be busy with the next one, not asleep. */
export const BULK_BYTES = 16_384

/** With what the pump needs of the shard. */
export interface ShardLane {
  readonly id: number
  readonly words: Int32Array
  /** Where the lane's words begin in `words`. */
  readonly base: number
  readonly slabs: SlabTable
  readonly bell: BellNotifier
  readonly meter: Meter
}
