/** What the compiler knows of statistics, ledgers and events, all of it read only. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import { diagnosticsChannels, observe } from 'symphony-transport'
import type {
  BackpressureEvent,
  BreakerEvent,
  BreakerOpenedEvent,
  BreakerStats,
  ConnectionClosedEvent,
  ConnectionEvent,
  ConnectedEvent,
  ConnectingEvent,
  ConnectionRole,
  DiagnosticsEvents,
  Engine,
  EngineClosedEvent,
  EngineEvent,
  EnginePoolStats,
  EngineStats,
  EventLoopDelay,
  HandlerErrorContext,
  HandlerPlace,
  HopName,
  HopStats,
  LedgerLine,
  LedgerReport,
  LedgerSnapshot,
  Listener,
  ListenerClosedEvent,
  ListenerEvent,
  ListenerPausedEvent,
  ListenerStats,
  PoolConnectionFailedEvent,
  PoolDiscardedEvent,
  PoolExhaustedEvent,
  PoolLeakEvent,
  PoolStats,
  PoolTotals,
  ReconnectingAttemptEvent,
  ReconnectingClosedEvent,
  ReconnectingEndEvent,
  ReconnectingEvent,
  ReconnectingFailureEvent,
  ReconnectingLostEvent,
  ReconnectingState,
  ReconnectingStats,
  ResourceKind,
  ReuseBlocker,
  ShardEvent,
  ShardLostEvent,
  ShardStats,
  SharedMemoryStats,
  SharedMemoryUnavailableEvent,
  TrafficStats,
  TransportErrorCode,
} from 'symphony-transport'

declare const stats: EngineStats

// Statistics.
expectTypeOf<ReturnType<Engine['stats']>>().toEqualTypeOf<EngineStats>()
expectTypeOf<ReturnType<Listener['stats']>>().toEqualTypeOf<ListenerStats>()
expectTypeOf(stats.shards).toEqualTypeOf<readonly ShardStats[]>()
expectTypeOf(stats.pools).toEqualTypeOf<readonly EnginePoolStats[]>()
expectTypeOf<EnginePoolStats>().toExtend<PoolStats & { readonly endpoint: string }>()
expectTypeOf(stats.reconnectingConnections).toEqualTypeOf<readonly ReconnectingStats[]>()
expectTypeOf<ReconnectingStats['state']>().toEqualTypeOf<ReconnectingState>()
expectTypeOf(stats.traffic).toEqualTypeOf<TrafficStats>()
expectTypeOf(stats.poolTotals).toEqualTypeOf<PoolTotals>()
expectTypeOf<Engine['id']>().toBeString()
expectTypeOf(stats.hops).toEqualTypeOf<readonly HopStats[] | undefined>()
expectTypeOf<HopStats['hop']>().toEqualTypeOf<HopName>()
expectTypeOf<HopStats['meanMicros']>().toBeNumber()
// @ts-expect-error there is no such hop
expectTypeOf<HopName>().toEqualTypeOf<'flush'>()
expectTypeOf(stats.breakers).toEqualTypeOf<readonly BreakerStats[]>()
expectTypeOf<BreakerStats['state']>().toEqualTypeOf<'closed' | 'open' | 'half-open'>()
expectTypeOf<ShardStats['bytesRead' | 'bytesWritten' | 'reads' | 'writes' | 'wakes']>().toBeNumber()
expectTypeOf<ShardStats['eventLoopDelay']>().toEqualTypeOf<EventLoopDelay>()
expectTypeOf<ListenerStats['accepted' | 'open' | 'queued' | 'refused']>().toBeNumber()
expectTypeOf(stats.sharedMemory).toEqualTypeOf<SharedMemoryStats>()
expectTypeOf<SharedMemoryStats['state']>().toEqualTypeOf<'unknown' | 'available' | 'unavailable'>()
expectTypeOf<SharedMemoryStats['connections' | 'segments' | 'reservedBytes']>().toBeNumber()
// @ts-expect-error a figure is read only
stats.connections = 0
// @ts-expect-error no such figure
expectTypeOf(stats.links).toBeNever()

// Ledgers.
expectTypeOf(stats.ledger).toEqualTypeOf<LedgerSnapshot>()
expectTypeOf<keyof LedgerReport['byKind']>().toEqualTypeOf<ResourceKind>()
expectTypeOf<LedgerReport['byKind']['children']>().toEqualTypeOf<LedgerLine>()
expectTypeOf<LedgerSnapshot['byKind']['children']['open']>().toBeNumber()
expectTypeOf<'shards' | 'connections' | 'reconnectingConnections'>().toExtend<ResourceKind>()

// Events, as subscribers of diagnostics channels get them.
expectTypeOf<ConnectionRole>().toEqualTypeOf<'dialled' | 'accepted'>()
expectTypeOf<ConnectionEvent['role']>().toEqualTypeOf<ConnectionRole>()
expectTypeOf<ConnectionClosedEvent>().toExtend<ConnectionEvent>()
expectTypeOf<BackpressureEvent['pendingBytes']>().toBeNumber()
expectTypeOf<ShardLostEvent>().toExtend<ShardEvent & { readonly error: Error }>()
expectTypeOf<ListenerClosedEvent | ListenerPausedEvent>().toExtend<ListenerEvent>()
expectTypeOf<PoolConnectionFailedEvent | PoolExhaustedEvent | PoolDiscardedEvent | PoolLeakEvent>().toExtend<{
  readonly endpoint: string
}>()
expectTypeOf<PoolDiscardedEvent['why']>().toEqualTypeOf<ReuseBlocker | 'invalid'>()
expectTypeOf<ReconnectingAttemptEvent | ReconnectingFailureEvent | ReconnectingEndEvent>().toExtend<ReconnectingEvent>()
expectTypeOf<SharedMemoryUnavailableEvent>().toEqualTypeOf<{ readonly engine: string; readonly reason: string }>()
expectTypeOf<ConnectionEvent | EngineClosedEvent | ConnectingEvent>().toExtend<EngineEvent>()
expectTypeOf<ConnectedEvent>().toExtend<ConnectingEvent & { readonly durationMs: number }>()
expectTypeOf<ReconnectingLostEvent | ReconnectingClosedEvent>().toExtend<
  ReconnectingEndEvent & { readonly dropped: number }
>()

// Channels by name.
expectTypeOf<(typeof diagnosticsChannels)['shardLost']>().toEqualTypeOf<'symphony-transport:shard.lost'>()
expectTypeOf<DiagnosticsEvents['symphony-transport:shard.lost']>().toEqualTypeOf<ShardLostEvent>()
expectTypeOf<(typeof diagnosticsChannels)[keyof typeof diagnosticsChannels]>().toEqualTypeOf<keyof DiagnosticsEvents>()
const stopObserving = observe(diagnosticsChannels.connectionClosed, (event) => {
  expectTypeOf(event).toEqualTypeOf<ConnectionClosedEvent>()
})
expectTypeOf(stopObserving).toEqualTypeOf<() => void>()
// @ts-expect-error there is no such channel
observe('symphony-transport:shard.found', () => undefined)
expectTypeOf<BreakerOpenedEvent>().toExtend<BreakerEvent & { readonly error: Error }>()
expectTypeOf<(ConnectionClosedEvent | ListenerClosedEvent | ReconnectingEndEvent)['code']>().toEqualTypeOf<
  'OK' | TransportErrorCode
>()

// Failures of a host's functions.
expectTypeOf<HandlerErrorContext['where']>().toEqualTypeOf<HandlerPlace>()
expectTypeOf<HandlerErrorContext['connection']>().toEqualTypeOf<string | undefined>()
expectTypeOf<'listener' | 'subscriber' | 'onLoss' | 'validate'>().toExtend<HandlerPlace>()
