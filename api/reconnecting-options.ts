/** Options of `transport.reconnecting()`, declared once: default, unit, range. */
import * as v from 'valibot'
import type { BackoffOptions } from '../engine/common/backoff.js'
import type { Connection } from '../engine/common/connection.js'
import type { Frame } from '../engine/common/frame.js'
import type { ConnectedInfo, LossReport } from '../engine/reconnect/reconnecting-settings.js'
import { integer, milliseconds } from './engine-options.js'
import { isLess, parse } from './read-options.js'

const LONGEST_MS = 2_147_483_647
const MOST_ATTEMPTS = 2_147_483_647

const fn = <Fn extends (...args: never[]) => unknown>() =>
  v.custom<Fn>((value) => typeof value === 'function', 'a function')

const heartbeatSchema = v.strictObject({
  intervalMs: v.pipe(v.number(), v.minValue(1), v.maxValue(LONGEST_MS)),
  timeoutMs: v.pipe(v.number(), v.minValue(1), v.maxValue(LONGEST_MS)),
  ping: v.optional(fn<() => Frame>()),
  isPong: v.optional(fn<(frame: Buffer) => boolean>()),
})

const breakerSchema = v.strictObject({
  failures: integer(1, 1_000_000, 5),
  openMs: milliseconds(2_000),
  concurrency: integer(1, 1_000_000, 8),
})

const schema = v.strictObject({
  backoff: v.optional(
    v.strictObject({
      initialMs: milliseconds(50),
      maxMs: milliseconds(5_000),
      factor: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(1_000)), 3),
      jitter: v.optional(v.picklist(['decorrelated', 'full', 'none']), 'decorrelated'),
    }),
    {},
  ),
  maxAttempts: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MOST_ATTEMPTS))),
  maxElapsedMs: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(LONGEST_MS))),
  stableMs: milliseconds(5_000),
  firstConnect: v.optional(v.picklist(['wait', 'fail-fast']), 'wait'),
  unsent: v.optional(v.picklist(['resend', 'drop']), 'resend'),
  retainBytes: integer(0, 1_073_741_824, 0),
  heartbeat: v.optional(heartbeatSchema),
  breaker: v.optional(v.union([v.literal(false), breakerSchema]), {}),
  onConnected: v.optional(fn<(connection: Connection, info: ConnectedInfo) => unknown>()),
  onLoss: v.optional(fn<(report: LossReport) => unknown>()),
})

/** Options of `transport.reconnecting()`. */
export interface ReconnectingOptions {
  /**
   * The pauses between attempts. Defaults: `initialMs` 50, `maxMs` 5,000, `factor` 3 (1 to 1,000), `jitter`
   * 'decorrelated'.
   */
  readonly backoff?: BackoffOptions | undefined
  /**
   * Attempts since the link was last stable, 1 to 2,147,483,647; past it the link ends with ERR_GAVE_UP. Default: no
   * limit.
   */
  readonly maxAttempts?: number | undefined
  /** Milliseconds since the link was last stable; past it the link ends with ERR_GAVE_UP. Default: no limit. */
  readonly maxElapsedMs?: number | undefined
  /**
   * Milliseconds, or maxElapsedMs if that is less, that a connection must last before all are counted anew. Default
   * 5,000.
   */
  readonly stableMs?: number | undefined
  /**
   * What a failure before the first connection means: try again (`wait`, the default), or end with it (`fail-fast`).
   */
  readonly firstConnect?: 'wait' | 'fail-fast' | undefined
  /**
   * What becomes of frames that a lost connection has not sent: first on the next one (`resend`, the default), or
   * `drop`.
   */
  readonly unsent?: 'resend' | 'drop' | undefined
  /**
   * How many of the last bytes that were handed over a loss report has, 4 of each frame for its header, in whole
   * frames; up to 1 GiB. Default 0.
   */
  readonly retainBytes?: number | undefined
  /** How a silent peer is found. Default: it is not; a peer that has gone is found without. */
  readonly heartbeat?: HeartbeatOptions | undefined
  /**
   * When an endpoint that keeps failing is left alone; shared by all links to it, as the first one says. False: never.
   */
  readonly breaker?: BreakerOptions | false | undefined
  /**
   * Greets: runs on each new connection, before any frame that waits is sent and any is received. A failure, or more
   * than connectTimeoutMs, counts as a failed attempt; one with anything but a TransportError is told to `onError` too,
   * or by a process warning. What it sends is never sent again.
   */
  readonly onConnected?: ((connection: Connection, info: ConnectedInfo) => unknown) | undefined
  /**
   * Told of each loss, in order with the frames received. A failure is told to `onError`, or by a process warning; the
   * link goes on.
   */
  readonly onLoss?: ((report: LossReport) => unknown) | undefined
}

export interface HeartbeatOptions {
  /**
   * Milliseconds of silence after which the peer is asked; with isPong: between a pong and the next ping. At least 1.
   */
  readonly intervalMs: number
  /** Milliseconds within which it has to answer, at least 1; past it the connection counts as lost. */
  readonly timeoutMs: number
  /** The frame to ask with. Default: nothing is asked, the peer speaks by itself. */
  readonly ping?: (() => Frame) | undefined
  /**
   * Which frames answer; the reader does not get them. Default: any frame is a sign of life, and the reader gets it.
   */
  readonly isPong?: ((frame: Buffer) => boolean) | undefined
}

export interface BreakerOptions {
  /** Failed attempts in a row, of all links together, that open the circuit; 1 to 1,000,000. Default 5. */
  readonly failures?: number | undefined
  /** Milliseconds until one attempt is made again. Default 2,000. */
  readonly openMs?: number | undefined
  /**
   * Attempts under way at the same time while the circuit is closed, 1 to 1,000,000; the others wait in line. Default
   * 8.
   */
  readonly concurrency?: number | undefined
}

export type ResolvedReconnectingOptions = v.InferOutput<typeof schema>

export function parseReconnectingOptions(options: unknown): ResolvedReconnectingOptions {
  return parse(schema, options, 'reconnecting()', (output, problems) => {
    const { backoff, heartbeat } = output ?? {}
    if (isLess(backoff?.maxMs, backoff?.initialMs)) problems.add('backoff.maxMs: it must be at least backoff.initialMs')
    if (heartbeat?.isPong !== undefined && heartbeat.ping === undefined) problems.add('heartbeat.ping: isPong needs it')
  })
}
