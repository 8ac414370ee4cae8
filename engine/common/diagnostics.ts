/**
 * Events that observers can subscribe to through `node:diagnostics_channel`: one channel for each event, named
 * `symphony-transport:` and the event. Without subscribers publishing costs one comparison. If a subscriber throws,
 * Node reports that as an uncaught exception in a later turn; nothing here is affected.
 */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { TransportErrorCode } from '../protocol/errors.js'
import type { HandlerLogEntry } from './handler-log.js'
import type { ReuseBlocker } from './reuse-blocker.js'

/** What every event tells. */
export interface EngineEvent {
  /** `engine.id` of the engine that it is of. */
  readonly engine: string
}

/** In a shard, where nobody observes: main publishes what happens there. */
export const NOBODY = ''

export interface EngineClosedEvent extends EngineEvent {
  /** As in the report of `close()`: 0, or a defect. */
  readonly leaked: number
}

export interface ConnectingEvent extends EngineEvent {
  /** Of this attempt; unique within the engine. A connection that comes of it has an id of its own. */
  readonly attempt: number
  readonly kind: string
  readonly endpoint: string
}

export interface ConnectedEvent extends ConnectingEvent {
  /** Milliseconds that the attempt took. */
  readonly durationMs: number
  /** `OK`: there is a connection. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
}

export interface ConnectionEvent extends EngineEvent {
  readonly id: string
  readonly kind: string
  readonly endpoint: string
  readonly role: 'dialled' | 'accepted'
  readonly shard: number
}

export interface ConnectionClosedEvent extends ConnectionEvent {
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
}

export interface BackpressureEvent extends EngineEvent {
  readonly id: string
  readonly endpoint: string
  /** Bytes that `send()` has taken and the operating system has not. */
  readonly pendingBytes: number
}

export interface SharedMemoryUnavailableEvent extends EngineEvent {
  /** Why, and what to do about it. */
  readonly reason: string
}

export interface ShardEvent extends EngineEvent {
  readonly shard: number
  /** Which of its lives, counted from 1. */
  readonly generation: number
}

export interface ShardLostEvent extends ShardEvent {
  readonly error: Error
}

export interface ListenerEvent extends EngineEvent {
  readonly endpoint: string
}

export interface ListenerClosedEvent extends ListenerEvent {
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
}

export interface ListenerPausedEvent extends ListenerEvent {
  /** Which shard has stopped accepting, or accepts again. */
  readonly shard: number
}

export interface HandlerFailedEvent extends ShardEvent {
  readonly endpoint: string
  /** `info.id` of the connection; undefined: the module itself, in its `teardown()`, or set up on a shard again. */
  readonly connection: string | undefined
  /** ERR_HANDLER; its cause is what was thrown, with the stack that it had in the shard. */
  readonly error: Error
}

export interface PoolConnectionFailedEvent extends EngineEvent {
  readonly endpoint: string
  /** Failures in a row. */
  readonly failures: number
  /** What dialling or `validate` failed with, or how the connection ended before it was lent. */
  readonly error: unknown
  /** Milliseconds until the next attempt. */
  readonly pauseMs: number
}

export interface PoolExhaustedEvent extends EngineEvent {
  readonly endpoint: string
  /** Pending acquires, including the new one. */
  readonly waiting: number
  readonly max: number
}

export interface PoolDiscardedEvent extends EngineEvent {
  readonly endpoint: string
  /** `invalid`: by the pool's `validate`. */
  readonly why: ReuseBlocker | 'invalid'
  /** When it was found: while it was idle, when it was to be lent, or when it came back. */
  readonly when: 'idle' | 'lending' | 'released'
}

export interface PoolLeakEvent extends EngineEvent {
  readonly endpoint: string
  /** Milliseconds. */
  readonly heldMs: number
  /** Where the lease was taken. */
  readonly stack: string
}

export interface ReconnectingEvent extends EngineEvent {
  readonly endpoint: string
  /** Unique within the process. */
  readonly id: string
}

export interface ReconnectingAttemptEvent extends ReconnectingEvent {
  /** Since the connection was last stable, counted from 1. */
  readonly attempt: number
}

/** `error`: why the attempt failed. */
export interface ReconnectingFailureEvent extends ReconnectingEvent {
  readonly error: Error
}

export interface ReconnectingEndEvent extends ReconnectingEvent {
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
}

/** What became of the frames that the connection had, as `LossReport` tells it; how many, each. */
export interface ReconnectingLostEvent extends ReconnectingEndEvent {
  /** Nothing follows: also at an orderly end, whose code is `OK`. */
  readonly isFinal: boolean
  readonly handedOver: number
  readonly unconfirmed: number
  readonly resent: number
  readonly dropped: number
  readonly lost: number
}

export interface ReconnectingClosedEvent extends ReconnectingEndEvent {
  /** Frames that were taken, and that no connection was given: none came before the end. */
  readonly dropped: number
}

export interface BreakerEvent extends EngineEvent {
  readonly endpoint: string
}

export interface BreakerOpenedEvent extends BreakerEvent {
  /** The failure that opened the circuit. */
  readonly error: Error
}

/** The channels: what is published where. */
export interface DiagnosticsEvents {
  /** `close()` is done: no event of this engine follows. */
  'symphony-transport:engine.closed': EngineClosedEvent
  /** An attempt to connect begins: of `connect()`, of a pool, or of a reconnecting connection. */
  'symphony-transport:connect.started': ConnectingEvent
  /** It is over, whichever way. Only of one that somebody could observe when it began. */
  'symphony-transport:connect.settled': ConnectedEvent
  'symphony-transport:connection.opened': ConnectionEvent
  'symphony-transport:connection.closed': ConnectionClosedEvent
  'symphony-transport:backpressure.on': BackpressureEvent
  'symphony-transport:backpressure.off': BackpressureEvent
  /** An endpoint asked for shared memory, and this process cannot have any. */
  'symphony-transport:shared-memory.unavailable': SharedMemoryUnavailableEvent
  'symphony-transport:shard.lost': ShardLostEvent
  'symphony-transport:shard.restored': ShardEvent
  'symphony-transport:shard.given-up': ShardLostEvent
  'symphony-transport:listener.opened': ListenerEvent
  'symphony-transport:listener.closed': ListenerClosedEvent
  /** Too many accepted connections were not taken yet: the rest waits in the backlog. */
  'symphony-transport:listener.paused': ListenerPausedEvent
  'symphony-transport:listener.resumed': ListenerPausedEvent
  /** A connection was cut because the listener has `maxConnections` of them. */
  'symphony-transport:listener.refused': ListenerEvent
  /** A handler module has failed: over one connection, in its `teardown()`, or set up on a shard that came back. */
  'symphony-transport:handler.failed': HandlerFailedEvent
  /** A handler module has logged, and the listener has no `onLog`. */
  'symphony-transport:handler.log': HandlerLogEntry
  /** A pool could not make a connection, and pauses. */
  'symphony-transport:pool.connection-failed': PoolConnectionFailedEvent
  /** An acquire has to wait because all connections that the pool may have are in use. */
  'symphony-transport:pool.exhausted': PoolExhaustedEvent
  /** A connection left its pool because it was not fit for another user. */
  'symphony-transport:pool.discarded': PoolDiscardedEvent
  /** A lease is held longer than `leakAfterMs`. */
  'symphony-transport:pool.leak': PoolLeakEvent
  'symphony-transport:reconnecting.attempt': ReconnectingAttemptEvent
  /** An attempt failed, to connect or to greet. */
  'symphony-transport:reconnecting.failed': ReconnectingFailureEvent
  'symphony-transport:reconnecting.connected': ReconnectingAttemptEvent
  /** The connection was lost, and comes back unless `reconnecting.closed` follows. */
  'symphony-transport:reconnecting.lost': ReconnectingLostEvent
  /** `maxAttempts` or `maxElapsedMs` is reached. */
  'symphony-transport:reconnecting.gave-up': ReconnectingFailureEvent
  'symphony-transport:reconnecting.closed': ReconnectingClosedEvent
  'symphony-transport:breaker.opened': BreakerOpenedEvent
  'symphony-transport:breaker.closed': BreakerEvent
}

/** The name of each channel, to subscribe to by `node:diagnostics_channel` or `observe()`. */
export const diagnosticsChannels = {
  engineClosed: 'symphony-transport:engine.closed',
  connectStarted: 'symphony-transport:connect.started',
  connectSettled: 'symphony-transport:connect.settled',
  connectionOpened: 'symphony-transport:connection.opened',
  connectionClosed: 'symphony-transport:connection.closed',
  backpressureOn: 'symphony-transport:backpressure.on',
  backpressureOff: 'symphony-transport:backpressure.off',
  sharedMemoryUnavailable: 'symphony-transport:shared-memory.unavailable',
  shardLost: 'symphony-transport:shard.lost',
  shardRestored: 'symphony-transport:shard.restored',
  shardGivenUp: 'symphony-transport:shard.given-up',
  listenerOpened: 'symphony-transport:listener.opened',
  listenerClosed: 'symphony-transport:listener.closed',
  listenerPaused: 'symphony-transport:listener.paused',
  listenerResumed: 'symphony-transport:listener.resumed',
  listenerRefused: 'symphony-transport:listener.refused',
  handlerFailed: 'symphony-transport:handler.failed',
  handlerLog: 'symphony-transport:handler.log',
  poolConnectionFailed: 'symphony-transport:pool.connection-failed',
  poolExhausted: 'symphony-transport:pool.exhausted',
  poolDiscarded: 'symphony-transport:pool.discarded',
  poolLeak: 'symphony-transport:pool.leak',
  reconnectingAttempt: 'symphony-transport:reconnecting.attempt',
  reconnectingFailed: 'symphony-transport:reconnecting.failed',
  reconnectingConnected: 'symphony-transport:reconnecting.connected',
  reconnectingLost: 'symphony-transport:reconnecting.lost',
  reconnectingGaveUp: 'symphony-transport:reconnecting.gave-up',
  reconnectingClosed: 'symphony-transport:reconnecting.closed',
  breakerOpened: 'symphony-transport:breaker.opened',
  breakerClosed: 'symphony-transport:breaker.closed',
} as const satisfies Readonly<Record<string, keyof DiagnosticsEvents>>

type Channels = typeof diagnosticsChannels

class EventChannel<Message extends object> {
  readonly #channel

  constructor(name: string) {
    this.#channel = channel(name)
  }

  get hasSubscribers(): boolean {
    return this.#channel.hasSubscribers
  }

  publish(message: Message): void {
    if (this.#channel.hasSubscribers) this.#channel.publish(message)
  }
}

/** What the engine publishes by. */
export const events = Object.fromEntries(
  Object.entries(diagnosticsChannels).map(([event, name]) => [event, new EventChannel(name)]),
) as { readonly [Event in keyof Channels]: EventChannel<DiagnosticsEvents[Channels[Event]]> }

/**
 * Calls `observer` with each event of a channel, typed, as `subscribe()` of `node:diagnostics_channel` does. Channels
 * are of the thread: `event.engine` says which engine it is of.
 * @returns A function that ends this.
 */
export function observe<Name extends keyof DiagnosticsEvents>(
  name: Name,
  observer: (event: DiagnosticsEvents[Name]) => void,
): () => void {
  const own = (message: unknown): void => observer(message as DiagnosticsEvents[Name])
  subscribe(name, own)
  return () => void unsubscribe(name, own)
}
