/** The argument and the report of perf/programs/churner.ts. */
import type { FramingKind } from '../../api/index.js'

export interface ChurnPlan {
  readonly stack: 'engine' | 'net'
  readonly endpoint: string
  readonly connections: number
  /** Of the one frame that each connection echoes. */
  readonly bytes: number
  /** Connections at one time. */
  readonly concurrency: number
  readonly shards: number
  readonly framing: FramingKind
  /** How often the first shard dies meanwhile, in the middle of a connection. */
  readonly kills: number
}

export interface ChurnReport {
  readonly served: number
  /** Connections whose shard died. */
  readonly lost: number
  /** Shards that died. */
  readonly kills: number
  /** Resident memory after each third, and at the end. */
  readonly residentMiB: readonly number[]
  readonly peakMiB: number
  /** Shared memory that was made on the way. */
  readonly madeMiB: number
  /** The most that the engine said it has for rings. */
  readonly ringMiB: number
  readonly leaked: number
  readonly elapsedMs: number
}
