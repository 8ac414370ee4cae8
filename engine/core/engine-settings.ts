/** What an engine and its transports are made with; the API layer has validated all of it. */
import type { OnError } from '../common/handler-failures.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ListenSettings } from '../listening/listener-registry.js'
import type { BreakerSettings } from '../reconnect/breaker.js'
import type { ReconnectingSettings } from '../reconnect/reconnecting-settings.js'
import type { LaneConnection } from '../connection/lane-connection.js'
import type { SupervisorSettings } from '../shard/supervisor.js'
import type { WakePolicy } from '../wake/wake-policy.js'

/** What an engine's transports do unless their own options say otherwise. */
export type TransportDefaults = Pick<ConnectionSettings, 'inlineWrites' | 'inlineWriteBytes'>

export interface EngineSettings extends Omit<SupervisorSettings, 'engine' | 'entry' | 'tracesHops'>, TransportDefaults {
  readonly maxRingBytes: number
  readonly wake: WakePolicy
  /** Path or file URL of the worker module. Undefined: it lies beside the engine. */
  readonly workerEntry: string | URL | undefined
  readonly onError: OnError | undefined
  readonly traceHops: boolean
}

/** What all connections of one engine have in common. */
export type ConnectionDefaults = Pick<
  ConnectionSettings,
  'engine' | 'maxRingBytes' | 'clock' | 'failures' | 'onOutlived' | 'onFull' | 'traffic' | 'hops'
>

export interface TransportSettings extends ListenSettings {
  /** Of its connections, besides what the engine adds. */
  readonly connection: Omit<ConnectionSettings, keyof ConnectionDefaults | 'tracking'>
  readonly connectTimeoutMs: number
  /**
   * `none`: frames go over the socket, and nothing else does. With the others both ends shake hands first. `shared`:
   * frames go through memory that both processes have mapped, if both can and want to; else over the socket.
   */
  readonly memory: 'none' | 'socket' | 'shared'
}

/** What a reconnecting connection is made with, besides its endpoint and what it stands on. */
export interface ReconnectingPolicy extends Pick<
  ReconnectingSettings<LaneConnection>,
  | 'backoff'
  | 'maxAttempts'
  | 'maxElapsedMs'
  | 'stableMs'
  | 'firstConnect'
  | 'unsent'
  | 'heartbeat'
  | 'onConnected'
  | 'onLoss'
> {
  /** How many of the last bytes that were handed over a loss report has. */
  readonly retainBytes: number
  /** False: the endpoint has none. */
  readonly breaker: BreakerSettings | false
}
