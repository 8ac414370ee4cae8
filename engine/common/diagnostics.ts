/**
 * Events that observers can subscribe to through `node:diagnostics_channel`: one channel for each event, named
 * `symphony-transport:` and the event. Without subscribers publishing costs one comparison. If a subscriber throws,
 * Node reports that as an uncaught exception in a later turn; nothing here is affected.
 */
import { channel } from 'node:diagnostics_channel'
import type { TransportErrorCode } from '../protocol/errors.js'
import type { HandlerLogEntry } from './handler-log.js'
import type { ReuseBlocker } from './reuse-blocker.js'

export interface ConnectionEvent {
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

export interface BackpressureEvent {
  readonly id: string
  readonly endpoint: string
  /** Bytes that `send()` has taken and the operating system has not. */
  readonly pendingBytes: number
}

export interface SharedMemoryUnavailableEvent {
  /** Why, and what to do about it. */
  readonly reason: string
}

export interface ShardEvent {
  readonly shard: number
  /** Which of its lives, counted from 1. */
  readonly generation: number
}

export interface ShardLostEvent extends ShardEvent {
  readonly error: Error
}

export interface ListenerEvent {
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

export interface PoolConnectionFailedEvent {
  readonly endpoint: string
  /** Failures in a row. */
  readonly failures: number
  /** What dialling or `validate` failed with, or how the connection ended before it was lent. */
  readonly error: unknown
  /** Milliseconds until the next attempt. */
  readonly pauseMs: number
}

export interface PoolExhaustedEvent {
  readonly endpoint: string
  /** Pending acquires, including the new one. */
  readonly waiting: number
  readonly max: number
}

export interface PoolDiscardedEvent {
  readonly endpoint: string
  /** `invalid`: by the pool's `validate`. */
  readonly why: ReuseBlocker | 'invalid'
  /** When it was found: while it was idle, when it was to be lent, or when it came back. */
  readonly when: 'idle' | 'lending' | 'released'
}

export interface PoolLeakEvent {
  readonly endpoint: string
  /** Milliseconds. */
  readonly heldMs: number
  /** Where the lease was taken. */
  readonly stack: string
}

export interface ReconnectingEvent {
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

export interface BreakerEvent {
  readonly endpoint: string
}

export interface BreakerOpenedEvent extends BreakerEvent {
  /** The failure that opened the circuit. */
  readonly error: Error
}

class EventChannel<Message extends object> {
  readonly #channel

  constructor(name: string) {
    this.#channel = channel(`symphony-transport:${name}`)
  }

  get hasSubscribers(): boolean {
    return this.#channel.hasSubscribers
  }

  publish(message: Message): void {
    if (this.#channel.hasSubscribers) this.#channel.publish(message)
  }
}

export const events = {
  connectionOpened: new EventChannel<ConnectionEvent>('connection.opened'),
  connectionClosed: new EventChannel<ConnectionClosedEvent>('connection.closed'),
  backpressureOn: new EventChannel<BackpressureEvent>('backpressure.on'),
  backpressureOff: new EventChannel<BackpressureEvent>('backpressure.off'),
  /** An endpoint asked for shared memory, and this process cannot have any. */
  sharedMemoryUnavailable: new EventChannel<SharedMemoryUnavailableEvent>('shared-memory.unavailable'),
  shardLost: new EventChannel<ShardLostEvent>('shard.lost'),
  shardRestored: new EventChannel<ShardEvent>('shard.restored'),
  shardGivenUp: new EventChannel<ShardLostEvent>('shard.given-up'),
  listenerOpened: new EventChannel<ListenerEvent>('listener.opened'),
  listenerClosed: new EventChannel<ListenerClosedEvent>('listener.closed'),
  /** Too many accepted connections were not taken yet: the rest waits in the backlog. */
  listenerPaused: new EventChannel<ListenerPausedEvent>('listener.paused'),
  listenerResumed: new EventChannel<ListenerPausedEvent>('listener.resumed'),
  /** A connection was cut because the listener has `maxConnections` of them. */
  listenerRefused: new EventChannel<ListenerEvent>('listener.refused'),
  /** A handler module has failed: over one connection, in its `teardown()`, or set up on a shard that came back. */
  handlerFailed: new EventChannel<HandlerFailedEvent>('handler.failed'),
  /** A handler module has logged, and the listener has no `onLog`. */
  handlerLog: new EventChannel<HandlerLogEntry>('handler.log'),
  /** A pool could not make a connection, and pauses. */
  poolConnectionFailed: new EventChannel<PoolConnectionFailedEvent>('pool.connection-failed'),
  /** An acquire has to wait because all connections that the pool may have are in use. */
  poolExhausted: new EventChannel<PoolExhaustedEvent>('pool.exhausted'),
  /** A connection left its pool because it was not fit for another user. */
  poolDiscarded: new EventChannel<PoolDiscardedEvent>('pool.discarded'),
  /** A lease is held longer than `leakAfterMs`. */
  poolLeak: new EventChannel<PoolLeakEvent>('pool.leak'),
  reconnectingAttempt: new EventChannel<ReconnectingAttemptEvent>('reconnecting.attempt'),
  /** An attempt failed, to connect or to greet. */
  reconnectingFailed: new EventChannel<ReconnectingFailureEvent>('reconnecting.failed'),
  reconnectingConnected: new EventChannel<ReconnectingAttemptEvent>('reconnecting.connected'),
  /** The connection was lost, and comes back. */
  reconnectingLost: new EventChannel<ReconnectingEndEvent>('reconnecting.lost'),
  /** `maxAttempts` or `maxElapsedMs` is reached. */
  reconnectingGaveUp: new EventChannel<ReconnectingFailureEvent>('reconnecting.gave-up'),
  reconnectingClosed: new EventChannel<ReconnectingEndEvent>('reconnecting.closed'),
  breakerOpened: new EventChannel<BreakerOpenedEvent>('breaker.opened'),
  breakerClosed: new EventChannel<BreakerEvent>('breaker.closed'),
} as const
