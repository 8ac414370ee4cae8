/**
 * What observers can subscribe to through `node:diagnostics_channel`: one channel an event, named
 * `symphony-transport:` and the event. Without subscribers publishing costs one comparison. A subscriber that throws is
 * reported by Node as an uncaught exception in a later turn; it disturbs nothing here.
 */
import { channel } from 'node:diagnostics_channel'
import type { TransportErrorCode } from '../protocol/errors.js'
import type { ReuseBlocker } from './reuse-blocker.js'
import type { Role } from '../protocol/target.js'

/** Who a connection is. */
export interface ConnectionEvent {
  readonly id: string
  readonly kind: string
  readonly endpoint: string
  readonly role: Role
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
  /** Which shard accepts nothing for now, or accepts again. */
  readonly shard: number
}

export interface PoolConnectionFailedEvent {
  readonly endpoint: string
  /** Failures in a row. */
  readonly failures: number
  /** What dialling or `validate` failed with, or why the connection was of no use before anybody had it. */
  readonly error: unknown
  /** Milliseconds until the next attempt. */
  readonly pauseMs: number
}

export interface PoolExhaustedEvent {
  readonly endpoint: string
  /** How many wait, with the one that begins to. */
  readonly waiting: number
  readonly max: number
}

export interface PoolDiscardedEvent {
  readonly endpoint: string
  /** `invalid`: by the pool's `validate`. */
  readonly why: ReuseBlocker | 'invalid'
  /** When it was found: while nobody used it, when it was to be lent, or when it came back. */
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
  /** Since the link was last stable, counted from 1. */
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

class Event<Message extends object> {
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
  connectionOpened: new Event<ConnectionEvent>('connection.opened'),
  connectionClosed: new Event<ConnectionClosedEvent>('connection.closed'),
  backpressureOn: new Event<BackpressureEvent>('backpressure.on'),
  backpressureOff: new Event<BackpressureEvent>('backpressure.off'),
  shardLost: new Event<ShardLostEvent>('shard.lost'),
  shardRestored: new Event<ShardEvent>('shard.restored'),
  shardGivenUp: new Event<ShardLostEvent>('shard.given-up'),
  listenerOpened: new Event<ListenerEvent>('listener.opened'),
  listenerClosed: new Event<ListenerClosedEvent>('listener.closed'),
  /** Too many accepted connections wait to be taken: the rest waits in the backlog. */
  listenerPaused: new Event<ListenerPausedEvent>('listener.paused'),
  listenerResumed: new Event<ListenerPausedEvent>('listener.resumed'),
  /** A connection was cut because the listener has `maxConnections` of them. */
  listenerRefused: new Event<ListenerEvent>('listener.refused'),
  /** A pool could not make a connection, and pauses. */
  poolConnectionFailed: new Event<PoolConnectionFailedEvent>('pool.connection-failed'),
  /** Somebody has to wait because all connections that a pool may have are in use. */
  poolExhausted: new Event<PoolExhaustedEvent>('pool.exhausted'),
  /** A connection left its pool because it was not fit for another user. */
  poolDiscarded: new Event<PoolDiscardedEvent>('pool.discarded'),
  /** A lease is held longer than `leakAfterMs`. */
  poolLeak: new Event<PoolLeakEvent>('pool.leak'),
  /** An attempt to connect begins. */
  reconnectingAttempt: new Event<ReconnectingAttemptEvent>('reconnecting.attempt'),
  /** An attempt failed, to connect or to greet. */
  reconnectingFailed: new Event<ReconnectingFailureEvent>('reconnecting.failed'),
  reconnectingConnected: new Event<ReconnectingAttemptEvent>('reconnecting.connected'),
  /** A connection of the link is over. */
  reconnectingLost: new Event<ReconnectingEndEvent>('reconnecting.lost'),
  /** The attempts or the time that the link was given are over. */
  reconnectingGaveUp: new Event<ReconnectingFailureEvent>('reconnecting.gave-up'),
  reconnectingClosed: new Event<ReconnectingEndEvent>('reconnecting.closed'),
  breakerOpened: new Event<BreakerOpenedEvent>('breaker.opened'),
  breakerClosed: new Event<BreakerEvent>('breaker.closed'),
} as const
