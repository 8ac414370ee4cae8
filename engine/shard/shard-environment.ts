/** What all shards of an engine share, and what tells one life of one shard from others. */
import type { Ledger } from '../common/ledger.js'
import type { InlineBudget } from '../connection/inline-budget.js'
import type { SlabSource } from '../memory/region-allocator.js'
import type { Clock } from '../protocol/clock.js'
import type { ShardLoads } from '../protocol/shard-loads.js'
import type { Doorbell } from '../wake/doorbell.js'
import type { Relay } from './relay.js'

export interface ShardSettings {
  /** `engine.id`. */
  readonly engine: string
  readonly entry: string
  readonly initialRingBytes: number
  readonly bootTimeoutMs: number
  readonly stuckTimeoutMs: number
  readonly shardHeapMb: number
  readonly tracesHops: boolean
}

export interface ShardLife {
  readonly index: number
  /** Counts from 1. */
  readonly generation: number
  /** Continued from life to life. */
  readonly counters: Float64Array
}

export interface ShardEnvironment {
  readonly settings: ShardSettings
  readonly doorbell: Doorbell
  readonly ledger: Ledger
  readonly clock: Clock
  readonly inline: InlineBudget
  readonly loads: ShardLoads
  readonly relay: Relay
  /** Where a shard's memory comes from, and goes to when it ends: slabs that rings are cut from, headers of lanes. */
  readonly memory: { readonly slabs: SlabSource; readonly headers: SlabSource }
  /** Gives back addresses of a thread that is gone. */
  readonly unmap: (ranges: readonly AddressRange[]) => void
}

export interface AddressRange {
  readonly address: bigint
  readonly length: number
}
