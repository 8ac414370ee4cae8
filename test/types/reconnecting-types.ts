/** What the compiler accepts and refuses of reconnecting connections. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import type {
  BackoffOptions,
  BreakerOptions,
  ConnectedInfo,
  Connection,
  HeartbeatOptions,
  Jitter,
  LossReport,
  ReconnectingConnection,
  ReconnectingOptions,
  ReconnectingState,
  Transport,
  TransportErrorCode,
} from 'symphony-transport'

declare const transport: Transport
declare const reconnecting: ReconnectingConnection

expectTypeOf(transport.reconnecting()).toEqualTypeOf<ReconnectingConnection>()
transport.reconnecting({
  backoff: { initialMs: 10, maxMs: 1_000, factor: 2, jitter: 'none' },
  maxAttempts: 5,
  maxElapsedMs: undefined,
  firstConnect: 'fail-fast',
  unsent: 'drop',
  retainBytes: 1_024,
  breaker: false,
  onConnected: async (connection, info) => {
    expectTypeOf(connection).toEqualTypeOf<Connection>()
    expectTypeOf(info).toEqualTypeOf<ConnectedInfo>()
    await connection.ready({ signal: info.signal })
  },
  onLoss: (report) => {
    expectTypeOf(report).toEqualTypeOf<LossReport>()
  },
} satisfies ReconnectingOptions)
transport.reconnecting({
  breaker: { failures: 3 },
  heartbeat: { intervalMs: 1_000, timeoutMs: 500, ping: () => 'ping' },
})
transport.reconnecting({ heartbeat: { intervalMs: 1_000, timeoutMs: 500, isPong: (frame) => frame.length === 0 } })
expectTypeOf<BackoffOptions['jitter']>().toEqualTypeOf<Jitter | undefined>()
expectTypeOf<ReconnectingOptions['breaker']>().toEqualTypeOf<BreakerOptions | false | undefined>()
expectTypeOf<ReconnectingOptions['heartbeat']>().toEqualTypeOf<HeartbeatOptions | undefined>()
// @ts-expect-error a breaker is not turned on like that
transport.reconnecting({ breaker: true })
// @ts-expect-error a heartbeat needs both times
transport.reconnecting({ heartbeat: { intervalMs: 1_000 } })
// @ts-expect-error a ping is a frame
transport.reconnecting({ heartbeat: { intervalMs: 1_000, timeoutMs: 500, ping: () => 1 } })
// @ts-expect-error no such choice for unsent frames
transport.reconnecting({ unsent: 'keep' })
// @ts-expect-error no such way
transport.reconnecting({ firstConnect: 'retry' })
// @ts-expect-error options of the transport stand there
transport.reconnecting({ framing: 'line' })

// What it has besides a connection.
expectTypeOf<ReconnectingState>().toEqualTypeOf<'connecting' | 'connected' | 'waiting' | 'closing' | 'closed'>()
expectTypeOf(reconnecting.state).toEqualTypeOf<ReconnectingState>()
expectTypeOf(reconnecting.attempts).toBeNumber()
expectTypeOf(reconnecting.connected({ timeoutMs: 1_000 })).resolves.toBeVoid()
expectTypeOf(reconnecting.onStateChange((state) => state)).toEqualTypeOf<() => void>()
// @ts-expect-error its state is read only
reconnecting.state = 'closed'

// What a loss report says, frame by frame.
expectTypeOf<LossReport['code']>().toEqualTypeOf<'OK' | TransportErrorCode>()
expectTypeOf<LossReport['unconfirmed' | 'dropped' | 'retained']>().toEqualTypeOf<readonly Buffer[]>()
expectTypeOf<LossReport['handedOver' | 'resent' | 'lost']>().toBeNumber()
expectTypeOf<ConnectedInfo['loss']>().toEqualTypeOf<LossReport | undefined>()
