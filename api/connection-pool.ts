/** Connection pools, as hosts use them. */
import type { LaneConnection } from '../engine/connection/lane-connection.js'
import type { Lease } from '../engine/pool/lease.js'
import type { Pool } from '../engine/pool/pool.js'
import type { PoolBounds } from '../engine/pool/pool-settings.js'
import type { PoolStats } from '../engine/pool/pool-stats.js'
import type { WaitOptions } from '../engine/protocol/waiter.js'
import type { LeasedConnection } from './leased-connection.js'
import {
  parsePoolCloseOptions,
  parseResizeOptions,
  type PoolCloseOptions,
  type PoolResizeOptions,
} from './pool-options.js'

/**
 * Connections to one endpoint that are lent to one user at a time and used again. A connection whose end its thread has
 * seen is never lent. Idle connections keep reading: any byte, any end takes them out; and they do not keep the process
 * alive, while leased ones and those who wait do.
 */
export class ConnectionPool implements AsyncDisposable {
  readonly #pool: Pool<LaneConnection, LeasedConnection>
  #bounds: PoolBounds

  /** @internal Pools are made by `transport.pool()`. */
  constructor(pool: Pool<LaneConnection, LeasedConnection>, bounds: PoolBounds) {
    this.#pool = pool
    this.#bounds = bounds
  }

  /** The endpoint as text. */
  get endpoint(): string {
    return this.#pool.endpoint
  }

  /**
   * Lends a connection, which must be given back: `lease.release()`. Those who wait are served in their order. A wait
   * that is given up costs no connection: the one that was being made for it goes to the next, or is kept. Rejects with
   * ERR_ACQUIRE_TIMEOUT (after `timeoutMs`, default the pool's acquireTimeoutMs), ERR_ABORTED, ERR_POOL_CLOSED, or as
   * making a connection has failed; the cause is that failure.
   */
  acquire(options?: WaitOptions): Promise<Lease<LeasedConnection>> {
    return this.#pool.acquire(options)
  }

  /**
   * Lends a connection to `fn` until what it returns has settled, and resolves with that. If `fn` throws or rejects,
   * the connection is destroyed, since nobody knows what was under way, and so does this. Rejects as `acquire()` does,
   * too.
   */
  use<Result>(
    fn: (connection: LeasedConnection) => Result | PromiseLike<Result>,
    options?: WaitOptions,
  ): Promise<Result> {
    return this.#pool.use(fn, options)
  }

  /**
   * Changes `min` and `max`. Connections above the new maximum are closed: idle ones at once, leased ones as they come
   * back.
   * @throws {TransportError} ERR_INVALID_OPTION, ERR_POOL_CLOSED
   */
  resize(options: PoolResizeOptions): void {
    const bounds = parseResizeOptions(options, this.#bounds)
    this.#pool.resize(bounds)
    this.#bounds = bounds
  }

  /** A snapshot, synchronous and cheap. */
  stats(): PoolStats {
    return this.#pool.stats()
  }

  /**
   * Grants no more leases, rejects whoever waits with ERR_POOL_CLOSED, closes idle connections, and waits up to
   * `graceMs` for leases to come back; connections that are still out then are destroyed. Resolves when every
   * connection is gone. A second call returns the first one's promise. `engine.close()` closes pools, too.
   */
  async close(options: PoolCloseOptions = {}): Promise<void> {
    const { graceMs } = parsePoolCloseOptions(options)
    return this.#pool.close(graceMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
