export { createEngine, type Engine, type EngineStats } from './engine.js'
export type { ChildEndpoint, Endpoint, EndpointObject, ProcessStdioEndpoint, PipeEndpoint } from './endpoint.js'
export type { ConnectionHandler, Listener, ListenerClosed, ListenerStats, ListenOptions } from './listener.js'
export type {
  CloseOptions,
  EngineOptions,
  ListenerCloseOptions,
  RestartOptions,
  TransportOptions,
} from './engine-options.js'
export type { LeasedConnection } from './leased-connection.js'
export type { ConnectionPool } from './connection-pool.js'
export type { PoolCloseOptions, PoolOptions, PoolResizeOptions } from './pool-options.js'
export type { Transport } from './transport.js'
export type {
  Capabilities,
  ClosedInfo,
  Connection,
  ConnectionInfo,
  SubscribeOptions,
} from '../engine/common/connection.js'
export type { FrameHandler } from '../engine/common/connection.js'
export type { Lease } from '../engine/pool/lease.js'
export type { PoolStats } from '../engine/pool/pool-stats.js'
export type { BreakerOptions, HeartbeatOptions, ReconnectingOptions } from './reconnecting-options.js'
export type { BackoffOptions, Jitter } from '../engine/common/backoff.js'
export type { Frame } from '../engine/common/frame.js'
export type { BreakerStats } from '../engine/reconnect/breaker.js'
export type {
  ReconnectingConnection,
  ReconnectingState,
  ReconnectingStats,
} from '../engine/reconnect/reconnecting-connection.js'
export type { ConnectedInfo, LossReport } from '../engine/reconnect/reconnecting-settings.js'
export type { ShardStats } from '../engine/shard/shard.js'
export type {
  BackpressureEvent,
  BreakerEvent,
  BreakerOpenedEvent,
  ConnectionClosedEvent,
  ConnectionEvent,
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
} from '../engine/common/diagnostics.js'
export type { EventLoopDelay } from '../engine/protocol/counters.js'
export type { FramingKind } from '../engine/protocol/framing.js'
export { TransportError, type TransportErrorCode } from '../engine/protocol/errors.js'
export type { HandlerErrorContext, HandlerPlace, OnError } from '../engine/common/handler-failures.js'
export type { LedgerReport, LedgerSnapshot } from '../engine/common/ledger.js'
export type { WaitOptions } from '../engine/protocol/waiter.js'
