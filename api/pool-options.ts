/** Options of pools. */
import * as v from 'valibot'
import type { Connection } from '../engine/common/connection.js'
import type { BackoffOptions } from '../engine/common/backoff.js'
import type { Problems } from '../engine/common/option-problems.js'
import type { LeasedConnection } from '../engine/core/pooled-connection.js'
import type { PoolBounds, PoolSettings } from '../engine/pool/pool-settings.js'
import { callback, integer, integerFrom, milliseconds, time } from './option-schemas.js'
import { isLess, parse } from './read-options.js'

/** More connections than this do not fit on one shard. */
const MOST_CONNECTIONS = 32_768

const DEFAULT_MAX_PAUSE_MS = 5_000

const positive = v.optional(time(1))

export const poolSchema = v.strictObject({
  min: integer(0, MOST_CONNECTIONS, 0),
  max: integer(1, MOST_CONNECTIONS, 8),
  idleTimeoutMs: milliseconds(30_000),
  maxLifetimeMs: positive,
  lifetimeJitter: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0.1),
  acquireTimeoutMs: milliseconds(10_000),
  createAttempts: integer(1, 1_000, 3),
  backoff: v.optional(
    v.strictObject({
      initialMs: milliseconds(50, 1),
      maxMs: positive,
      factor: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(100)), 2),
      jitter: v.optional(v.picklist(['decorrelated', 'full', 'none']), 'decorrelated'),
    }),
    {},
  ),
  leakAfterMs: positive,
  validate: v.optional(callback<(connection: Connection) => unknown>()),
})

const boundsSchema = v.strictObject({
  min: v.optional(integerFrom(0, MOST_CONNECTIONS)),
  max: v.optional(integerFrom(1, MOST_CONNECTIONS)),
})

/** Options of `transport.pool()`. Times are milliseconds. */
export interface PoolOptions {
  /** Connections that are made at once and kept, also when they are idle; 0 to 32,768. Default 0. */
  readonly min?: number | undefined
  /** Connections at most, in use, idle and on their way together; 1 to 32,768, at least `min`. Default 8. */
  readonly max?: number | undefined
  /** A connection that was idle for so long is closed, unless there are only `min`. Default 30,000. */
  readonly idleTimeoutMs?: number | undefined
  /** A connection of this age is closed as soon as it is idle; at least 1. Default: no limit. */
  readonly maxLifetimeMs?: number | undefined
  /** Each lifetime is shortened by a random share of up to this, 0 to 1, so that not all end at once. Default 0.1. */
  readonly lifetimeJitter?: number | undefined
  /** How long `acquire()` waits, and how long `validate` may take. Default 10,000. */
  readonly acquireTimeoutMs?: number | undefined
  /** After so many failures in a row, 1 to 1,000, or one that no retry can help, acquires are rejected. Default 3. */
  readonly createAttempts?: number | undefined
  /**
   * The pauses between attempts to make a connection, while they fail. Defaults: `initialMs` 50 (at least 1), `maxMs`
   * 5,000 or `initialMs`, `factor` 2 (1 to 100), `jitter` 'decorrelated'.
   */
  readonly backoff?: BackoffOptions | undefined
  /** A lease held so long, at least 1, is reported with its stack trace, which each acquire pays for. Default: off. */
  readonly leakAfterMs?: number | undefined
  /**
   * Called with each connection before it is lent. If it returns or resolves with false, throws, rejects, or takes
   * longer than `acquireTimeoutMs`, the connection is destroyed and another one is tried; what it throws is reported to
   * `onError`, or by a process warning, unless it is a TransportError. Default: a connection whose thread has seen no
   * end of it is lent.
   */
  readonly validate?: ((connection: LeasedConnection) => unknown) | undefined
}

/** What `pool.resize()` takes; what is left out stays as it is. */
export interface PoolResizeOptions {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

/** Options of `pool.close()`. */
export interface PoolCloseOptions {
  /** How long leases may take to come back, in milliseconds, before their connections are destroyed. Default 1,000. */
  readonly graceMs?: number | undefined
}

export function parsePoolOptions(options: unknown): PoolSettings<Connection> {
  const parsed = parse(poolSchema, options, 'pool()', (output, problems) => {
    checkOrder(output?.min, output?.max, problems)
    if (isLess(output?.backoff?.maxMs, output?.backoff?.initialMs))
      problems.add('backoff.maxMs: it must be at least backoff.initialMs')
  })
  const { backoff, maxLifetimeMs, leakAfterMs, validate } = parsed
  const { maxMs = Math.max(DEFAULT_MAX_PAUSE_MS, backoff.initialMs) } = backoff
  return { ...parsed, maxLifetimeMs, leakAfterMs, validate, backoff: { ...backoff, maxMs } }
}

/** `now`: what holds where nothing is said. */
export function parseResizeOptions(options: unknown, now: PoolBounds): PoolBounds {
  const { min = now.min, max = now.max } = parse(boundsSchema, options, 'resize()', (output, problems) => {
    if (output !== undefined) checkOrder(output.min ?? now.min, output.max ?? now.max, problems)
  })
  return { min, max }
}

function checkOrder(min: number | undefined, max: number | undefined, problems: Problems): void {
  if (isLess(max, min)) problems.add(`min: it must be at most max (${String(max)})`)
}
