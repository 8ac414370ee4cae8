/** Options of `transport.reconnecting()`, declared once: default, unit, range. */
import * as v from 'valibot'
import type { BackoffOptions } from '../engine/common/backoff.js'
import type { Connection } from '../engine/common/connection.js'
import type { Frame } from '../engine/common/frame.js'
import type { ReconnectingPolicy } from '../engine/core/engine-settings.js'
import type { ConnectedInfo, LossReport } from '../engine/reconnect/reconnecting-settings.js'
import { callback, integer, integerFrom, milliseconds, time } from './option-schemas.js'
import { isLess, parse } from './read-options.js'

const MOST_ATTEMPTS = 2 ** 31 - 1

const heartbeatSchema = v.strictObject({
  intervalMs: time(1),
  timeoutMs: time(1),
  ping: v.optional(callback<() => Frame>()),
  isPong: v.optional(callback<(frame: Buffer) => boolean>()),
})

const breakerSchema = v.strictObject({
  failures: integer(1, 1_000_000, 5),
  openMs: milliseconds(2_000),
  concurrency: integer(1, 1_000_000, 8),
})

export const reconnectingSchema = v.strictObject({
  backoff: v.optional(
    v.strictObject({
      initialMs: milliseconds(50),
      maxMs: milliseconds(5_000),
      factor: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(1_000)), 3),
      jitter: v.optional(v.picklist(['decorrelated', 'full', 'none']), 'decorrelated'),
    }),
    {},
  ),
  maxAttempts: v.optional(integerFrom(1, MOST_ATTEMPTS)),
  maxElapsedMs: v.optional(time(0)),
  stableMs: milliseconds(5_000),
  firstConnect: v.optional(v.picklist(['wait', 'fail-fast']), 'wait'),
  unsent: v.optional(v.picklist(['resend', 'drop']), 'resend'),
  retainBytes: integer(0, 1_073_741_824, 0),
  heartbeat: v.optional(heartbeatSchema),
  breaker: v.optional(v.union([v.literal(false), breakerSchema]), {}),
  onConnected: v.optional(callback<(connection: Connection, info: ConnectedInfo) => unknown>()),
  onLoss: v.optional(callback<(report: LossReport) => unknown>()),
})

/** Options of `transport.reconnecting()`. */
export interface ReconnectingOptions {
  /** Pauses in between. Defaults: `initialMs` 50, `maxMs` 5,000, `factor` 3 (1 to 1,000), `jitter` 'decorrelated'. */
  readonly backoff?: BackoffOptions | undefined
  /** Attempts since it was last stable, 1 to 2,147,483,647; past them it ends with ERR_GAVE_UP. Default: no limit. */
  readonly maxAttempts?: number | undefined
  /** Milliseconds since it was last stable; past it the connection ends with ERR_GAVE_UP. Default: no limit. */
  readonly maxElapsedMs?: number | undefined
  /** Milliseconds, or maxElapsedMs if less, that a connection must last before all are counted anew. Default 5,000. */
  readonly stableMs?: number | undefined
  /** What a failure before the first connection means: try again (`wait`, the default) or end with it (`fail-fast`). */
  readonly firstConnect?: 'wait' | 'fail-fast' | undefined
  /** Frames that a lost connection has not sent: they go first on the next (`resend`, the default), or `drop`. */
  readonly unsent?: 'resend' | 'drop' | undefined
  /** How many of the last bytes handed over a loss report has: whole frames, 4 a header; up to 1 GiB. Default 0. */
  readonly retainBytes?: number | undefined
  /** How a silent peer is found. Default: it is not; a peer that has gone is found without. */
  readonly heartbeat?: HeartbeatOptions | undefined
  /** When a failing endpoint is left alone: reconnecting connections share the first one's breaker. False: never. */
  readonly breaker?: BreakerOptions | false | undefined
  /**
   * Greets: runs on each new connection, before any frame that waits is sent and any is received. A failure, or more
   * than connectTimeoutMs, counts as a failed attempt; anything but a TransportError is also reported to `onError`, or
   * by a process warning. What it sends is never sent again.
   */
  readonly onConnected?: ((connection: Connection, info: ConnectedInfo) => unknown) | undefined
  /** Called with each loss, in order with the frames. Failures go to `onError` or a process warning; nothing ends. */
  readonly onLoss?: ((report: LossReport) => unknown) | undefined
}

export interface HeartbeatOptions {
  /** Milliseconds of silence after which the peer is asked; with isPong: from a pong to the next ping. At least 1. */
  readonly intervalMs: number
  /** Milliseconds within which it has to answer, at least 1; past it the connection counts as lost. */
  readonly timeoutMs: number
  /** The frame to ask with. Default: nothing is asked, the peer speaks by itself. */
  readonly ping?: (() => Frame) | undefined
  /** Which frames answer; the reader does not get them. Default: any frame is a sign of life and the reader gets it. */
  readonly isPong?: ((frame: Buffer) => boolean) | undefined
}

export interface BreakerOptions {
  /** Failed attempts in a row, of all connections together, that open the circuit; 1 to 1,000,000. Default 5. */
  readonly failures?: number | undefined
  /** Milliseconds until one attempt is made again. Default 2,000. */
  readonly openMs?: number | undefined
  /** Attempts under way at once while the circuit is closed, 1 to 1,000,000; the others wait in line. Default 8. */
  readonly concurrency?: number | undefined
}

export function parseReconnectingOptions(options: unknown): ReconnectingPolicy {
  const parsed = parse(reconnectingSchema, options, 'reconnecting()', (output, problems) => {
    const { backoff, heartbeat } = output ?? {}
    if (isLess(backoff?.maxMs, backoff?.initialMs)) problems.add('backoff.maxMs: it must be at least backoff.initialMs')
    if (heartbeat?.isPong !== undefined && heartbeat.ping === undefined) problems.add('heartbeat.ping: isPong needs it')
  })
  const { maxAttempts = Infinity, maxElapsedMs = Infinity, heartbeat, onConnected, onLoss } = parsed
  return {
    ...parsed,
    maxAttempts,
    maxElapsedMs,
    heartbeat: heartbeat && { ping: undefined, isPong: undefined, ...heartbeat },
    onConnected,
    onLoss,
  }
}
