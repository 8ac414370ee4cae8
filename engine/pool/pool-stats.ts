/** A pool at one moment. `size` = connecting + validating + idle + leased; `created` - `destroyed` = the last three. */
export interface PoolStats {
  readonly size: number
  /** Connections that are being made. */
  readonly connecting: number
  /** Connections whose `validate` is running. */
  readonly validating: number
  readonly idle: number
  readonly leased: number
  /** Requests that wait. */
  readonly waiting: number
  /** Connections that were made, since the beginning. */
  readonly created: number
  /** Of these, those that have left the pool, for whatever reason. */
  readonly destroyed: number
  /** Leases granted. */
  readonly acquired: number
  /** Of these, those whose connection had been leased before. */
  readonly reused: number
  /** reused / acquired; 0 before the first. */
  readonly reuseRate: number
}

/** Of several pools, also of closed ones. */
export type PoolTotals = Pick<PoolStats, 'created' | 'destroyed' | 'acquired' | 'reused'>

export function sumOfPools(pools: readonly PoolTotals[]): PoolTotals {
  const sum = (what: keyof PoolTotals): number => pools.reduce((total, pool) => total + pool[what], 0)
  return { created: sum('created'), destroyed: sum('destroyed'), acquired: sum('acquired'), reused: sum('reused') }
}
