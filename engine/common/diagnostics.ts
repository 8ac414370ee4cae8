/**
 * What observers can subscribe to through `node:diagnostics_channel`: one channel an event, named
 * `symphony-transport:` and the event. Without subscribers publishing costs one comparison. A subscriber that throws is
 * reported by Node as an uncaught exception in a later turn; it disturbs nothing here.
 */
import { channel } from 'node:diagnostics_channel'
import type { TransportErrorCode } from '../protocol/errors.js'
import type { Unfitness } from './reuse-blocker.js'
import type { Role } from '../../workers/wire.js'

/** Who a connection is. */
export interface ConnectionNews {
  readonly id: string
  readonly kind: string
  readonly endpoint: string
  readonly role: Role
  readonly shard: number
}

export interface ConnectionClosedNews extends ConnectionNews {
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
}

export interface BackpressureNews {
  readonly id: string
  readonly endpoint: string
  /** Bytes that `send()` has taken and the operating system has not. */
  readonly pendingBytes: number
}

export interface ShardNews {
  readonly shard: number
  /** Which of its lives, counted from 1. */
  readonly generation: number
}

export interface ShardLossNews extends ShardNews {
  readonly error: Error
}

export interface ListenerNews {
  readonly endpoint: string
}

export interface ListenerClosedNews extends ListenerNews {
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
}

export interface ListenerPausedNews extends ListenerNews {
  /** Which shard accepts nothing for now, or accepts again. */
  readonly shard: number
}

export interface PoolConnectionFailedNews {
  readonly endpoint: string
  /** Failures in a row. */
  readonly failures: number
  /** What dialling or `validate` failed with, or why the connection was of no use before anybody had it. */
  readonly error: unknown
  /** Milliseconds until the next attempt. */
  readonly pauseMs: number
}

export interface PoolExhaustedNews {
  readonly endpoint: string
  /** How many wait, with the one that begins to. */
  readonly waiting: number
  readonly max: number
}

export interface PoolDiscardedNews {
  readonly endpoint: string
  /** `invalid`: by the pool's `validate`. */
  readonly why: Unfitness | 'invalid'
  /** When it was found: while nobody used it, when it was to be lent, or when it came back. */
  readonly when: 'idle' | 'lending' | 'released'
}

export interface PoolLeakNews {
  readonly endpoint: string
  /** Milliseconds. */
  readonly heldMs: number
  /** Where the lease was taken. */
  readonly stack: string
}

export interface LinkNews {
  readonly endpoint: string
  /** Unique within the process. */
  readonly id: string
}

export interface LinkAttemptNews extends LinkNews {
  /** Since the link was last stable, counted from 1. */
  readonly attempt: number
}

/** `error`: why the attempt failed. */
export interface LinkFailureNews extends LinkNews {
  readonly error: Error
}

export interface LinkEndNews extends LinkNews {
  readonly code: 'OK' | TransportErrorCode
  readonly cause: Error | undefined
}

export interface BreakerNews {
  readonly endpoint: string
}

export interface BreakerOpenedNews extends BreakerNews {
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
  connectionOpened: new Event<ConnectionNews>('connection.opened'),
  connectionClosed: new Event<ConnectionClosedNews>('connection.closed'),
  backpressureOn: new Event<BackpressureNews>('backpressure.on'),
  backpressureOff: new Event<BackpressureNews>('backpressure.off'),
  shardLost: new Event<ShardLossNews>('shard.lost'),
  shardRestored: new Event<ShardNews>('shard.restored'),
  shardGivenUp: new Event<ShardLossNews>('shard.given-up'),
  listenerOpened: new Event<ListenerNews>('listener.opened'),
  listenerClosed: new Event<ListenerClosedNews>('listener.closed'),
  /** Too many accepted connections wait to be taken: the rest waits in the backlog. */
  listenerPaused: new Event<ListenerPausedNews>('listener.paused'),
  listenerResumed: new Event<ListenerPausedNews>('listener.resumed'),
  /** A connection was cut because the listener has `maxConnections` of them. */
  listenerRefused: new Event<ListenerNews>('listener.refused'),
  /** A pool could not make a connection, and pauses. */
  poolConnectionFailed: new Event<PoolConnectionFailedNews>('pool.connection-failed'),
  /** Somebody has to wait because all connections that a pool may have are in use. */
  poolExhausted: new Event<PoolExhaustedNews>('pool.exhausted'),
  /** A connection left its pool because it was not fit for another user. */
  poolDiscarded: new Event<PoolDiscardedNews>('pool.discarded'),
  /** A lease is held longer than `leakAfterMs`. */
  poolLeak: new Event<PoolLeakNews>('pool.leak'),
  /** An attempt to connect begins. */
  linkAttempt: new Event<LinkAttemptNews>('link.attempt'),
  /** An attempt failed, to connect or to greet. */
  linkFailed: new Event<LinkFailureNews>('link.failed'),
  linkConnected: new Event<LinkAttemptNews>('link.connected'),
  /** A connection of the link is over. */
  linkLost: new Event<LinkEndNews>('link.lost'),
  /** The attempts or the time that the link was given are over. */
  linkGaveUp: new Event<LinkFailureNews>('link.gave-up'),
  linkClosed: new Event<LinkEndNews>('link.closed'),
  breakerOpened: new Event<BreakerOpenedNews>('breaker.opened'),
  breakerClosed: new Event<BreakerNews>('breaker.closed'),
} as const
