/** What the compiler accepts and refuses of engines, transports and listeners. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import {
  createEngine,
  type ClosedInfo,
  type CloseOptions,
  type Connection,
  type ConnectionHandler,
  type Engine,
  type EngineOptions,
  type EngineStats,
  type FramingKind,
  type LedgerReport,
  type Listener,
  type ListenerClosed,
  type ListenerCloseOptions,
  type HandlerListenOptions,
  type HandlerOptions,
  type ListenOptions,
  type OnError,
  type RestartOptions,
  type ServedCloseOptions,
  type ServedConnection,
  type ServedConnectionInfo,
  type Transport,
  type TransportError,
  type TransportOptions,
} from 'symphony-transport'

declare const engine: Engine
declare const transport: Transport
declare const listener: Listener

// An engine, with no options, some, or undefined for the default of each.
expectTypeOf(createEngine).parameters.toEqualTypeOf<[options?: EngineOptions]>()
expectTypeOf(createEngine()).resolves.toEqualTypeOf<Engine>()
void createEngine({ shards: 2, wake: 'park', restart: { max: 0 }, workerEntry: new URL('file:///worker.cjs') })
void createEngine({ inlineWrites: 'never', inlineWriteBytes: 1_024 })
void createEngine({ traceHops: true })
void createEngine({ wake: { spinMicros: 50 }, onError: (error, { where }) => [error.code, where] })
void createEngine({
  shards: undefined,
  wake: undefined,
  restart: undefined,
  workerEntry: undefined,
  onError: undefined,
})
// @ts-expect-error a number, not text
void createEngine({ shards: '2' })
// @ts-expect-error a name that is close to `shards`
void createEngine({ shard: 2 })
// @ts-expect-error no such policy
void createEngine({ wake: 'spin' })
// @ts-expect-error no such choice
void createEngine({ inlineWrites: 'always' })
// @ts-expect-error true or false, not a name
void createEngine({ traceHops: 'symphony-hops' })
// @ts-expect-error how long is missing
void createEngine({ wake: {} })
// @ts-expect-error a name that is close to `max`
void createEngine({ restart: { maximum: 5 } })
// @ts-expect-error what a host may not call
void createEngine({ onError: (text: string) => text })
// @ts-expect-error null is no option
void createEngine({ shards: null })

expectTypeOf<EngineOptions['restart']>().toEqualTypeOf<RestartOptions | undefined>()
expectTypeOf<OnError>().parameter(0).toEqualTypeOf<TransportError>()
expectTypeOf<OnError>().returns.toBeUnknown()

// Its end and its figures.
expectTypeOf<Engine>().toExtend<AsyncDisposable>()
expectTypeOf<Engine['close']>().parameters.toEqualTypeOf<[options?: CloseOptions]>()
expectTypeOf(engine.close({ graceMs: 5_000 })).resolves.toEqualTypeOf<LedgerReport>()
expectTypeOf<LedgerReport['leaked']>().toBeNumber()
expectTypeOf(engine.stats()).toEqualTypeOf<EngineStats>()
expectTypeOf<EngineStats['ledger']['open']>().toBeNumber()
expectTypeOf<Engine['resetHops']>().toEqualTypeOf<() => void>()
// @ts-expect-error only the report of close() knows what has leaked
expectTypeOf(engine.stats().ledger.leaked).toBeNumber()
// @ts-expect-error milliseconds, not a duration as text
void engine.close({ graceMs: '5s' })

// A transport, and what it takes.
expectTypeOf(engine.transport('local:echo')).toEqualTypeOf<Transport>()
void engine.transport('local:echo', { framing: 'line', maxFrameBytes: 1_024, lastLine: 'keep', mode: 0o660 })
void engine.transport('local:echo', { framing: 'line', delimiter: '\f' })
expectTypeOf<TransportOptions['inlineWrites']>().toEqualTypeOf<'auto' | 'never' | undefined>()
expectTypeOf<TransportOptions['inlineWriteBytes']>().toEqualTypeOf<number | undefined>()
expectTypeOf<TransportOptions['memory']>().toEqualTypeOf<'socket' | 'shared' | undefined>()
expectTypeOf<TransportOptions['framing']>().toEqualTypeOf<FramingKind | undefined>()
expectTypeOf<FramingKind>().toEqualTypeOf<'length' | 'length-be' | 'line' | 'nul' | 'content-length' | 'raw'>()
// @ts-expect-error no such framing
void engine.transport('local:echo', { framing: 'netstring' })
// @ts-expect-error an option of createEngine()
void engine.transport('local:echo', { shards: 2 })
// @ts-expect-error a mode is a number
void engine.transport('local:echo', { mode: '0600' })

// Connecting and listening.
expectTypeOf(transport.endpoint).toBeString()
expectTypeOf(transport.connect()).resolves.toEqualTypeOf<Connection>()
void transport.connect({ timeoutMs: 1_000, signal: AbortSignal.timeout(1_000) })
// @ts-expect-error an option of the transport
void transport.connect({ framing: 'line' })
// @ts-expect-error the signal, not its controller
void transport.connect({ signal: new AbortController() })

interface Counting {
  count(from: number): number
}
const servedConnection = transport.connect<Counting>({ handler: '/serve.js', data: 1, timeoutMs: 1_000 })
expectTypeOf(servedConnection).resolves.toEqualTypeOf<ServedConnection<Counting>>()
expectTypeOf<Parameters<Transport['connect']>[0]>().toEqualTypeOf<HandlerOptions>()
expectTypeOf<ServedConnection<Counting>['api']['count']>().toEqualTypeOf<(from: number) => Promise<number>>()
expectTypeOf<ServedConnection['closed']>().resolves.toEqualTypeOf<ClosedInfo>()
expectTypeOf<ServedConnection['close']>().parameters.toEqualTypeOf<[options?: ServedCloseOptions]>()
expectTypeOf<ServedConnection>().toExtend<AsyncDisposable>()
expectTypeOf<ServedConnection['info']>().toEqualTypeOf<ServedConnectionInfo>()
// It has no frames for this thread.
expectTypeOf<ServedConnection>().not.toHaveProperty('send')
// @ts-expect-error a module, and not a function
void transport.connect({ handler: () => undefined })
// @ts-expect-error a pool lends connections to this thread
void transport.pool({ handler: '/serve.js' })
// @ts-expect-error so does a reconnecting connection
void transport.reconnecting({ handler: '/serve.js' })

expectTypeOf(transport.listen()).resolves.toEqualTypeOf<Listener>()
void transport.listen((connection) => {
  expectTypeOf(connection).toEqualTypeOf<Connection>()
})
expectTypeOf<ConnectionHandler>().toEqualTypeOf<(connection: Connection) => unknown>()
// The last overload is what this sees.
expectTypeOf<Parameters<Transport['listen']>[0]>().toEqualTypeOf<HandlerListenOptions>()
void transport.listen(async (connection) => connection.close())
void transport.listen(undefined, { timeoutMs: 1_000, onError: undefined } satisfies ListenOptions)
// @ts-expect-error options come behind the handler
void transport.listen({ timeoutMs: 1_000 })
// @ts-expect-error a listener has connections, not frames
void transport.listen((frame: Buffer) => frame)

expectTypeOf(listener.accept()).resolves.toEqualTypeOf<Connection | undefined>()
expectTypeOf<Listener['close']>().parameters.toEqualTypeOf<[options?: ListenerCloseOptions]>()
expectTypeOf(listener.close()).resolves.toEqualTypeOf<ListenerClosed>()
expectTypeOf<Listener>().toExtend<AsyncIterable<Connection> & AsyncDisposable>()
expectTypeOf(listener.closed).resolves.toEqualTypeOf<ListenerClosed>()
expectTypeOf<ListenerClosed['code']>().toEqualTypeOf<'OK' | TransportError['code']>()
