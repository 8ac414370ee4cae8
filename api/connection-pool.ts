import type { Connection } from '../engine/common/connection.js'
import { graceMs, readGraceMs } from '../engine/common/call-options.js'
import type { LaneConnection } from '../engine/connection/lane-connection.js'
import type { LeasedConnection } from '../engine/core/pooled-connection.js'
import type { Lease } from '../engine/pool/lease.js'
import type { PoolBounds } from '../engine/pool/pool-settings.js'
import type { PoolStats } from '../engine/pool/pool-stats.js'
import type { Pool } from '../engine/pool/pool.js'
import type { WaitOptions } from '../engine/protocol/waiter.js'
import { parseResizeOptions, type PoolCloseOptions, type PoolResizeOptions } from './pool-options.js'

/**
 * Connections to one endpoint, lent to one user at a time and used again, but never after their thread saw an end.
 * Idle ones leave at any byte or end, and do not keep the process alive; leased ones and pending acquires do.
 */
export interface ConnectionPool extends AsyncDisposable {
  /** The endpoint as text. */
  readonly endpoint: string

  /**
   * Lends a connection, which must be given back: `lease.release()`. Acquires are served in their order; giving one up
   * costs no connection. Rejects with ERR_ACQUIRE_TIMEOUT (after `timeoutMs`, default the pool's acquireTimeoutMs),
   * ERR_ABORTED, ERR_POOL_CLOSED, or as making a connection has failed; the cause is that failure.
   */
  acquire(options?: WaitOptions): Promise<Lease<LeasedConnection>>

  /**
   * Lends a connection to `fn` until what it returns has settled, and resolves with that. If `fn` throws or rejects,
   * the connection is destroyed, since its exchange may be unfinished, and this rejects with the same reason. Rejects
   * as `acquire()` does, too.
   */
  use<Result>(
    fn: (connection: LeasedConnection) => Result | PromiseLike<Result>,
    options?: WaitOptions,
  ): Promise<Result>

  /**
   * Changes `min` and `max`. Connections above the new maximum are closed: idle ones at once, leased ones on return.
   * @throws {TransportError} ERR_INVALID_OPTION, ERR_POOL_CLOSED
   */
  resize(options: PoolResizeOptions): void

  /** A snapshot, synchronous and cheap. */
  stats(): PoolStats

  /**
   * Grants no more leases, rejects pending acquires with ERR_POOL_CLOSED, closes idle connections, and waits up to
   * `graceMs` for leases to come back; connections that are still out then are destroyed. Resolves when every
   * connection is gone. A second call waits for the same end. `engine.close()` closes pools, too.
   */
  close(options?: PoolCloseOptions): Promise<void>
}

export function createPool(pool: Pool<LaneConnection, Connection>, first: PoolBounds): ConnectionPool {
  let bounds = first
  const close = async (options: PoolCloseOptions = {}): Promise<void> => pool.close(readGraceMs(options, graceMs.pool))
  return {
    endpoint: pool.endpoint,
    acquire: (options) => pool.acquire(options),
    use: (fn, options) => pool.use(fn, options),
    resize: (options) => {
      const next = parseResizeOptions(options, bounds)
      pool.resize(next)
      bounds = next
    },
    stats: () => pool.stats(),
    close,
    [Symbol.asyncDispose]: close,
  }
}
