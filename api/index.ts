export { createEngine, type Engine, type EngineStats } from './engine.js'
export type { ChildEndpoint, Endpoint, EndpointObject, OwnStdioEndpoint, PipeEndpoint } from './endpoint.js'
export type { ConnectionHandler, Listener, ListenerClosed, ListenerStats, ListenOptions } from './listener.js'
export type {
  CloseOptions,
  EngineOptions,
  ListenerCloseOptions,
  RestartOptions,
  TransportOptions,
} from './options.js'
export type { LeasedConnection } from './leased-connection.js'
export type { ConnectionPool } from './pool.js'
export type { PoolCloseOptions, PoolOptions, PoolResizeOptions } from './pool-options.js'
export type { Transport } from './transport.js'
export type { ClosedInfo, Connection, ConnectionInfo, SubscribeOptions } from '../engine/link/connection.js'
export type { FrameHandler } from '../engine/link/incoming.js'
export type { Lease } from '../engine/resilience/lease.js'
export type { PoolStats } from '../engine/resilience/pool-stats.js'
export type {
  BackoffOptions,
  BreakerOptions,
  HeartbeatOptions,
  ReconnectingOptions,
} from './reconnecting-options.js'
export type { Frame } from '../engine/shared/frame.js'
export type { BreakerStats } from '../engine/resilience/breaker.js'
export type { LinkInfo, LinkStats, ReconnectingConnection } from '../engine/resilience/reconnecting.js'
export type { ConnectedInfo, LinkState, LossReport } from '../engine/resilience/reconnecting-settings.js'
export type { ShardStats } from '../engine/shard/shard.js'
export type {
  BackpressureNews,
  BreakerNews,
  BreakerOpenedNews,
  ConnectionClosedNews,
  ConnectionNews,
  LinkAttemptNews,
  LinkEndNews,
  LinkFailureNews,
  LinkNews,
  ListenerClosedNews,
  ListenerNews,
  ListenerPausedNews,
  PoolConnectionFailedNews,
  PoolDiscardedNews,
  PoolExhaustedNews,
  PoolLeakNews,
  ShardLossNews,
  ShardNews,
} from '../engine/shared/diagnostics.js'
export type { EventLoopDelay } from '../engine/shared/counters.js'
export type { FramingKind } from '../engine/shared/framing.js'
export { TransportError, type TransportErrorCode } from '../engine/shared/errors.js'
export type { HandlerErrorContext, HandlerPlace, OnError } from '../engine/shared/handler-failures.js'
export type { LedgerReport, LedgerSnapshot } from '../engine/shared/ledger.js'
export type { WaitOptions } from '../engine/shared/waiter.js'
