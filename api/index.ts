export { createEngine, type Engine } from './engine.js'
export type * from '../engine/core/engine-stats.js'
export { activatedEndpoints } from './activated-endpoints.js'
export type {
  ChildEndpoint,
  Endpoint,
  EndpointObject,
  FdEndpoint,
  ProcessStdioEndpoint,
  PipeEndpoint,
} from './endpoint.js'
export type * from '../engine/listening/listener.js'
export type * from '../engine/handling/served-connection.js'
export type { CloseOptions, EngineOptions, RestartOptions } from './engine-options.js'
export type { TransportOptions } from './transport-options.js'
export type { LeasedConnection } from '../engine/core/pooled-connection.js'
export type { ConnectionPool } from './connection-pool.js'
export type { PoolCloseOptions, PoolOptions, PoolResizeOptions } from './pool-options.js'
export type { Transport } from './transport.js'
export type * from '../engine/common/connection.js'
export type { ReuseBlocker } from '../engine/common/reuse-blocker.js'
export type { Lease } from '../engine/pool/lease.js'
export type { PoolStats, PoolTotals } from '../engine/pool/pool-stats.js'
export type { BreakerOptions, HeartbeatOptions, ReconnectingOptions } from './reconnecting-options.js'
export type { BackoffOptions, Jitter } from '../engine/common/backoff.js'
export type { Frame } from '../engine/common/frame.js'
export type { HopName, HopStats } from '../engine/common/hop-trace.js'
export type { BreakerStats } from '../engine/reconnect/breaker.js'
export type * from '../engine/reconnect/reconnecting-connection.js'
export type { ConnectedInfo, LossReport } from '../engine/reconnect/reconnecting-settings.js'
export type { SharedMemoryStats } from '../engine/shared-memory/shared-memory-stats.js'
export type { ShardHandlerStats, ShardStats } from '../engine/shard/shard.js'
export type {
  BackpressureEvent,
  ConnectedEvent,
  ConnectingEvent,
  DiagnosticsEvents,
  EngineClosedEvent,
  EngineEvent,
  ReconnectingClosedEvent,
  ReconnectingLostEvent,
  BreakerEvent,
  BreakerOpenedEvent,
  ConnectionClosedEvent,
  ConnectionEvent,
  HandlerFailedEvent,
  ReconnectingAttemptEvent,
  ReconnectingEndEvent,
  ReconnectingFailureEvent,
  ReconnectingEvent,
  ListenerClosedEvent,
  ListenerEvent,
  ListenerPausedEvent,
  PoolConnectionFailedEvent,
  PoolDiscardedEvent,
  PoolExhaustedEvent,
  PoolLeakEvent,
  ShardLostEvent,
  ShardEvent,
  SharedMemoryUnavailableEvent,
} from '../engine/common/diagnostics.js'
export { diagnosticsChannels, observe } from '../engine/common/diagnostics.js'
export type { TrafficStats } from '../engine/common/traffic.js'
export type { EventLoopDelay } from '../engine/protocol/counters.js'
export type { FramingKind } from '../engine/protocol/framing.js'
export { TransportError, type TransportErrorCode, type TransportErrorDetails } from '../engine/protocol/errors.js'
export type { AnyFunctions, HostFunctions, RemoteFunctions } from '../engine/calls/remote-functions.js'
export type { HandlerContext, HandlerLog, ShardHandler } from '../engine/common/handler-module.js'
export type { HandlerLogEntry, OnHandlerLog } from '../engine/common/handler-log.js'
export type { HandlerLogLevel } from '../engine/protocol/handling.js'
export type { HandlerErrorContext, HandlerPlace, OnError } from '../engine/common/handler-failures.js'
export type { LedgerLine, LedgerReport, LedgerSnapshot, ResourceKind } from '../engine/common/ledger.js'
export type { WaitOptions } from '../engine/protocol/waiter.js'
export type { Role as ConnectionRole } from '../engine/protocol/target.js'
