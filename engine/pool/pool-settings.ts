/** What a pool is made with and built on; the API layer has validated all of it. Times are milliseconds. */
import type { HandlerFailures } from '../common/handler-failures.js'
import type { Clock } from '../protocol/clock.js'
import type { WaitOptions } from '../protocol/waiter.js'
import type { BackoffSettings } from '../common/backoff.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'

export interface PoolBounds {
  /** Connections that are kept, also when none is needed. */
  readonly min: number
  /** Connections at most, those being made included. */
  readonly max: number
}

export interface PoolSettings<View> extends PoolBounds {
  /** A connection that is idle so long is closed, unless there are only `min`. */
  readonly idleTimeoutMs: number
  /** A connection of this age is closed once it is not in use. Undefined: it may be of any age. */
  readonly maxLifetimeMs: number | undefined
  /** Each connection's lifetime is shortened by a random share of up to this, 0 to 1, so that not all end at once. */
  readonly lifetimeJitter: number
  /** How long an acquire waits, and how long `validate` may take. */
  readonly acquireTimeoutMs: number
  /** So many failures in a row to make a connection reject every request for one. */
  readonly createAttempts: number
  /** The pauses between them. */
  readonly backoff: BackoffSettings
  /** A lease held so long is reported. Undefined: none is. */
  readonly leakAfterMs: number | undefined
  /** Whether a connection is good enough to be lent; it is not if this says false, throws or rejects. */
  readonly validate: ((connection: View) => unknown) | undefined
}

/** Asked before each use of a connection: throws once the user has lost the right to it. */
export interface Gate {
  assertHeld(): void
}

/** What a pool needs of a connection; it knows nothing else of it. */
export interface Poolable {
  /**
   * It is not in use from here on, and does not keep the process alive. `onUnfit` is called once if it becomes unfit:
   * at an end, a failure, and any byte. Returns why it cannot be parked; then nothing has changed.
   */
  park(onUnfit: (why: ReuseBlocker) => void): ReuseBlocker | undefined
  /** It is about to be used, and keeps the process alive. Returns why it cannot be used. */
  checkout(): ReuseBlocker | undefined
  /** Ends gracefully: what was sent leaves. Settles when it is over, and does not reject. */
  close(): Promise<unknown>
  /** Ends at once. */
  destroy(reason?: Error): void
}

/** What a pool is built on. */
export interface PoolGround<Connection extends Poolable, View> {
  /** For observers. */
  readonly engine: string
  /** For errors and observers. */
  readonly endpoint: string
  readonly clock: Clock
  /** For failures of `validate`. */
  readonly failures: HandlerFailures
  /** Numbers in [0, 1). */
  readonly random: () => number
  /** Makes a connection. It settles by itself, and gives up when the signal is aborted. */
  readonly dial: (wait: WaitOptions) => Promise<Connection>
  /** What the holder of a lease gets; it asks the gate before each use. */
  readonly present: (connection: Connection, gate: Gate) => View
}
