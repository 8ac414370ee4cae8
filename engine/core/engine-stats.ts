import type { HopStats } from '../common/hop-trace.js'
import type { LedgerSnapshot } from '../common/ledger.js'
import type { TrafficStats } from '../common/traffic.js'
import type { PoolStats, PoolTotals } from '../pool/pool-stats.js'
import type { BreakerStats } from '../reconnect/breaker.js'
import type { ReconnectingStats } from '../reconnect/reconnecting-connection.js'
import type { SharedMemoryStats } from '../shared-memory/shared-memory-stats.js'
import type { ShardStats } from '../shard/shard.js'

/** A snapshot of the engine. The figures of a shard are read from memory that it shares, without asking it. */
export interface EngineStats {
  readonly shards: readonly ShardStats[]
  /**
   * Shared memory for rings that no shard has, in bytes: kept for the next shard that needs it, or released and not
   * yet collected. With the `ringMemoryBytes` of all shards it is all that there is.
   */
  readonly spareRingMemoryBytes: number
  readonly connections: number
  /** How often `send()` and `sendBatch()` have returned false, on all connections since the engine started. */
  readonly fullSends: number
  /** Not of connections that handler modules serve: their shards count those. */
  readonly traffic: TrafficStats
  readonly sharedMemory: SharedMemoryStats
  readonly listeners: number
  readonly pendingConnects: number
  /** Pools that are not closed. */
  readonly pools: readonly EnginePoolStats[]
  /** Of all pools since the engine started. */
  readonly poolTotals: PoolTotals
  readonly reconnectingConnections: readonly ReconnectingStats[]
  /** One for each endpoint that reconnecting connections dial or have dialled. */
  readonly breakers: readonly BreakerStats[]
  /** What was opened and released so far; `engine.close()` says what was never released. */
  readonly ledger: LedgerSnapshot
  /** Where the time of round trips went, one for each hop. Undefined: hops are not traced. */
  readonly hops?: readonly HopStats[] | undefined
}

/** A pool, and what it connects to. */
export interface EnginePoolStats extends PoolStats {
  readonly endpoint: string
}
