/** What the compiler accepts and refuses of handler modules, and of their listeners. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import type {
  AnyFunctions,
  Connection,
  HandlerContext,
  HandlerFailedEvent,
  HandlerListener,
  HandlerListenOptions,
  HandlerLog,
  HandlerLogEntry,
  HandlerLogLevel,
  HandlerOnShard,
  Listener,
  OnHandlerLog,
  RemoteFunctions,
  ShardHandler,
  ShardHandlerStats,
  ShardStats,
  Transport,
} from '../../api/index.js'

declare const transport: Transport

interface Data {
  readonly size: number
}
interface Host {
  lookup(id: string): number
}
interface Api {
  forget(key: string): boolean
}

// A module.
const serve: ShardHandler<Data, Map<string, number>, Host> = (connection, context) => {
  expectTypeOf(connection).toEqualTypeOf<Connection>()
  expectTypeOf(context).toEqualTypeOf<HandlerContext<Data, Map<string, number>, Host>>()
  expectTypeOf(context.data).toEqualTypeOf<Data>()
  expectTypeOf(context.state).toEqualTypeOf<Map<string, number>>()
  expectTypeOf(context.host.lookup('id')).toEqualTypeOf<Promise<number>>()
  expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>()
  expectTypeOf(context.log).toEqualTypeOf<HandlerLog>()
  context.log.warn('late', { by: 1 })
}
expectTypeOf(serve).toBeFunction()
expectTypeOf<keyof RemoteFunctions<Host>>().toEqualTypeOf<'lookup'>()
expectTypeOf<keyof HandlerLog>().toEqualTypeOf<HandlerLogLevel>()
declare const untyped: HandlerContext
expectTypeOf(untyped.data).toEqualTypeOf<unknown>()
expectTypeOf(untyped.host['any']?.(1, 'two')).toEqualTypeOf<Promise<unknown> | undefined>()

// Its listener.
const handler = new URL('file:///serve.js')
expectTypeOf(transport.listen<Api>({ handler })).resolves.toEqualTypeOf<HandlerListener<Api>>()
expectTypeOf(transport.listen({ handler })).resolves.toExtend<Listener>()
declare const listener: HandlerListener<Api>
expectTypeOf(listener.handlers).toEqualTypeOf<readonly HandlerOnShard<Api>[]>()
expectTypeOf<HandlerOnShard<Api>['api']>().toEqualTypeOf<RemoteFunctions<Api>>()
for (const { api, shard } of listener.handlers) {
  expectTypeOf(shard).toEqualTypeOf<number>()
  expectTypeOf(api.forget('key')).toEqualTypeOf<Promise<boolean>>()
}
const onLog: OnHandlerLog = (entry) => {
  expectTypeOf(entry).toEqualTypeOf<HandlerLogEntry>()
}
void transport.listen({ handler: '/serve.js', data: { size: 1 }, onLog, onError: undefined })
void transport.listen({ handler, host: { lookup: (id: string) => id.length } } satisfies HandlerListenOptions)
void transport.listen({ handler, setupTimeoutMs: 1, teardownTimeoutMs: 1, timeoutMs: 1 })
// @ts-expect-error: a module, or a function, and not both
void transport.listen({ handler }, {})
// @ts-expect-error: a module is named
void transport.listen({ handler: () => undefined })
// @ts-expect-error: the module is missing
void transport.listen({ data: 1 })

// What is seen of it.
expectTypeOf<ShardStats['handlers']>().toEqualTypeOf<ShardHandlerStats>()
expectTypeOf<HandlerFailedEvent['connection']>().toEqualTypeOf<string | undefined>()
expectTypeOf<AnyFunctions>().toExtend<object>()
