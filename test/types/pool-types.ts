/** What the compiler accepts and refuses of pools and leases. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import type {
  BackoffOptions,
  ConnectionPool,
  LeasedConnection,
  Lease,
  PoolCloseOptions,
  PoolOptions,
  PoolResizeOptions,
  PoolStats,
  Transport,
} from 'symphony-transport'

declare const transport: Transport
declare const pool: ConnectionPool

expectTypeOf(transport.pool()).toEqualTypeOf<ConnectionPool>()
transport.pool({ min: 1, max: 8, maxLifetimeMs: undefined, backoff: { jitter: 'full' } } satisfies PoolOptions)
transport.pool({ validate: async (connection) => (await connection.receive())?.length === 0 })
transport.pool({ validate: (connection) => connection.send('ping') })
// @ts-expect-error a name that is close to `max`
transport.pool({ maximum: 8 })
// @ts-expect-error no such jitter
transport.pool({ backoff: { jitter: 'equal' } })
// @ts-expect-error what is validated is a connection
transport.pool({ validate: (frame: Buffer) => frame.length > 0 })

// What `use()` resolves with is what its function returns, or resolves with.
expectTypeOf(pool.use(() => 1)).resolves.toBeNumber()
expectTypeOf(pool.use(async (connection) => connection.receive())).resolves.toEqualTypeOf<Buffer | undefined>()
expectTypeOf(pool.use((connection) => connection.send('x'))).resolves.toBeBoolean()
expectTypeOf(pool.use(() => undefined)).resolves.toBeUndefined()
void pool.use(
  (connection) => {
    expectTypeOf(connection).toEqualTypeOf<LeasedConnection>()
  },
  { timeoutMs: 500 },
)
// @ts-expect-error it needs a function
void pool.use()
// @ts-expect-error a pool does not lend itself
void pool.use((lent: ConnectionPool) => lent)

// Leases.
expectTypeOf(pool.acquire()).resolves.toEqualTypeOf<Lease<LeasedConnection>>()
expectTypeOf<Lease<LeasedConnection>>().toExtend<Disposable>()
expectTypeOf<Lease<LeasedConnection>['connection']>().toEqualTypeOf<LeasedConnection>()
expectTypeOf<Lease<LeasedConnection>['isHeld']>().toBeBoolean()
export async function leases(): Promise<void> {
  using lease = await pool.acquire({ signal: AbortSignal.timeout(100), timeoutMs: 500 })
  lease.connection.send('one way')
  lease.destroy(new Error('not finished'))
  // @ts-expect-error the connection is not the holder's to replace
  lease.connection = undefined
}

expectTypeOf<Parameters<ConnectionPool['resize']>>().toEqualTypeOf<[options: PoolResizeOptions]>()
expectTypeOf(pool.stats()).toEqualTypeOf<PoolStats>()
expectTypeOf<PoolOptions['backoff']>().toEqualTypeOf<BackoffOptions | undefined>()
expectTypeOf<ConnectionPool['close']>().parameters.toEqualTypeOf<[options?: PoolCloseOptions]>()
expectTypeOf(pool.close({ graceMs: 100 })).resolves.toBeVoid()
expectTypeOf<ConnectionPool>().toExtend<AsyncDisposable>()
// @ts-expect-error only the bounds change
pool.resize({ idleTimeoutMs: 1 })
