/** Every option, declared once: default, unit, range. Unknown ones are refused; below this nothing has a default. */
import { availableParallelism } from 'node:os'
import * as v from 'valibot'
import { framingKinds, type FramingKind } from '../engine/protocol/framing.js'
import type { OnError } from '../engine/common/handler-failures.js'
import { regionBytes } from '../engine/protocol/ring-layout.js'
import { isLess, parse } from './read-options.js'

export const milliseconds = (fallback: number) =>
  v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(2_147_483_647)), fallback)
export const integer = (least: number, most: number, fallback: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most)), fallback)
const ringBytes = (fallback: (typeof regionBytes)[number]) => v.optional(v.picklist(regionBytes), fallback)

const wakePolicy = v.union([
  v.picklist(['adaptive', 'park']),
  v.strictObject({ spinMicros: v.pipe(v.number(), v.minValue(0), v.maxValue(1_000_000)) }),
])

/** One shard for each CPU but the host's own, at most four: more have shown nothing on local sockets. */
export const DEFAULT_SHARDS = Math.max(1, Math.min(4, availableParallelism() - 1))

const engineSchema = v.strictObject({
  shards: integer(1, 64, DEFAULT_SHARDS),
  wake: v.optional(wakePolicy, 'adaptive'),
  initialRingBytes: ringBytes(8192),
  maxRingBytes: ringBytes(8_388_608),
  bootTimeoutMs: milliseconds(10_000),
  stuckTimeoutMs: v.optional(v.pipe(v.number(), v.minValue(10), v.maxValue(2_147_483_647)), 5_000),
  shardHeapMb: integer(16, 65_536, 1_024),
  restart: v.optional(
    v.strictObject({
      max: integer(0, 1_000, 5),
      windowMs: milliseconds(60_000),
      initialDelayMs: milliseconds(50),
      maxDelayMs: milliseconds(5_000),
    }),
    {},
  ),
  workerEntry: v.optional(v.union([v.pipe(v.string('a path'), v.nonEmpty('a path')), v.instance(URL, 'a file URL')])),
  onError: v.optional(v.custom<OnError>((value) => typeof value === 'function', 'a function')),
})

const MAX_FRAME_BYTES = 1_073_741_824
const DEFAULT_PENDING_BYTES = 16_777_216

const transportSchema = v.strictObject({
  framing: v.optional(v.picklist(framingKinds), 'length'),
  maxHeaderBytes: integer(64, 1_048_576, 8_192),
  lastLine: v.optional(v.picklist(['refuse', 'keep']), 'refuse'),
  maxFrameBytes: integer(1, MAX_FRAME_BYTES, 16_777_216),
  maxPendingBytes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4 * MAX_FRAME_BYTES))),
  connectTimeoutMs: milliseconds(10_000),
  closeTimeoutMs: milliseconds(2_000),
  allowHalfOpen: v.optional(v.boolean(), false),
  frameTimeoutMs: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(2_147_483_647))),
  backlog: integer(1, 65_535, 4_096),
  maxConnections: integer(1, 1_048_576, 1_048_576),
  maxQueuedConnections: integer(16, 65_535, 1_024),
  mode: integer(0, 0o777, 0o600),
})

const closeSchema = v.strictObject({ graceMs: milliseconds(1_000) })
const listenerCloseSchema = v.strictObject({ graceMs: milliseconds(0) })

/** Options of `createEngine()`. */
export interface EngineOptions {
  /** Worker threads that carry the I/O; 1 to 64. Default: CPUs minus one, at least 1, at most 4. */
  readonly shards?: number | undefined
  /**
   * How main waits for news. `adaptive` (default): after its own send, the side that dialled polls for the reply for
   * up to 1 ms. `park`: it always sleeps. `{spinMicros}`: it polls that long after each send, 0 to 1,000,000.
   */
  readonly wake?: 'adaptive' | 'park' | { readonly spinMicros: number } | undefined
  /**
   * Size of a new connection's rings, each way, in bytes: 4096, 8192, 32768, 131072, 524288, 2097152, 8388608. Default
   * 8192.
   */
  readonly initialRingBytes?: number | undefined
  /** Size that a ring may grow to, in bytes, of the same sizes. A full ring grows to 2 MiB, further only for frames
   * that are large themselves. Default 8388608. */
  readonly maxRingBytes?: number | undefined
  /** How long a worker thread may take to start, in milliseconds. Default 10,000. */
  readonly bootTimeoutMs?: number | undefined
  /**
   * How long a worker thread may leave work untaken before it is asked whether it is alive, and then how long it may
   * take to answer, in milliseconds, at least 10. One that does not is stuck: it is ended and replaced. Default 5,000.
   */
  readonly stuckTimeoutMs?: number | undefined
  /** JavaScript heap of one worker thread, in MiB, 16 to 65,536; a thread that needs more dies. Default 1,024. */
  readonly shardHeapMb?: number | undefined
  /**
   * How worker threads that die are replaced: at most `max` times (0 to 1,000, default 5) of each shard in any
   * `windowMs` (default 60,000), after `initialDelayMs` (default 50), doubled each time in a window up to `maxDelayMs`
   * (default 5,000).
   */
  readonly restart?: RestartOptions | undefined
  /**
   * The worker module, for bundled hosts: path or file URL of `symphony-transport/worker`, best bundled as CommonJS.
   * Default: found beside the engine.
   */
  readonly workerEntry?: string | URL | undefined
  /**
   * Told of each failure in a function of the host's (listener callback, subscriber, `onLoss`, …), which nobody else
   * hears of: the error (ERR_HANDLER, with what was thrown as its cause), where, and of which connection. Default: a
   * process warning, once for each place that fails, at most ten a minute.
   */
  readonly onError?: OnError | undefined
}

export interface RestartOptions {
  readonly max?: number | undefined
  /** Milliseconds. */
  readonly windowMs?: number | undefined
  /** Milliseconds. */
  readonly initialDelayMs?: number | undefined
  /** Milliseconds. */
  readonly maxDelayMs?: number | undefined
}

/** Options of `engine.transport()`. */
export interface TransportOptions {
  /**
   * How frames are delimited on the wire; both ends must agree.
   * - `length` (default): u32 little-endian payload length, then the payload. The fastest: nothing is translated.
   * - `length-be`: u32 big-endian payload length, then the payload.
   * - `line`: each frame ends in LF; CRLF is accepted. A frame cannot contain LF, nor end in CR.
   * - `nul`: each frame ends in a NUL byte, and cannot contain one.
   * - `content-length`: headers, an empty line, payload, as in the Language Server Protocol.
   * - `raw`: no framing; each read is a frame, and a frame cannot be empty.
   */
  readonly framing?: FramingKind | undefined
  /** `content-length`: largest block of headers accepted, in bytes; 64 to 1 MiB. Default 8,192. */
  readonly maxHeaderBytes?: number | undefined
  /**
   * `line`, `nul`: whether bytes behind the last delimiter at the end of the stream are a frame (`keep`) or an end in
   * the middle of one (`refuse`, the default: ERR_TRUNCATED).
   */
  readonly lastLine?: 'refuse' | 'keep' | undefined
  /** Largest payload sent or accepted, in bytes; 1 to 2^30. Default 16 MiB. */
  readonly maxFrameBytes?: number | undefined
  /** Bound of the queue in front of a full ring, in bytes; at least maxFrameBytes. Default 16 MiB, or maxFrameBytes. */
  readonly maxPendingBytes?: number | undefined
  /** How long `connect()` may take, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** How long `close()` waits for the peer, in milliseconds. Default 2,000. */
  readonly closeTimeoutMs?: number | undefined
  /**
   * True: our side stays open after the peer's end of stream. Default false: it ends once everything is read and sent.
   */
  readonly allowHalfOpen?: boolean | undefined
  /**
   * How long a frame may take from its first byte to its last while somebody reads, in milliseconds, at least 1; past
   * it the connection is destroyed with ERR_FRAME_TIMEOUT. Default: as long as it likes.
   */
  readonly frameTimeoutMs?: number | undefined
  /**
   * Connections that wait in the kernel for the listener, 1 to 65,535; the system may allow fewer (on Linux
   * net.core.somaxconn). Default 4,096: peers that come in a burst and find it full get EAGAIN.
   */
  readonly backlog?: number | undefined
  /**
   * Connections that a listener has open at once, 1 to 1,048,576; one more is cut as soon as it comes. Default
   * 1,048,576.
   */
  readonly maxConnections?: number | undefined
  /**
   * Connections that were accepted and that nobody has taken, 16 to 65,535, shared evenly by the shards, of which each
   * has at least 16; past it no more are accepted, and peers wait in the backlog. Default 1,024.
   */
  readonly maxQueuedConnections?: number | undefined
  /** Mode of the socket file that a listener makes. Default 0o600: the owner alone. */
  readonly mode?: number | undefined
}

/** Options of `engine.close()`. */
export interface CloseOptions {
  /**
   * How long handlers that are at work may take, and what they and others have sent to leave, in milliseconds, before
   * connections are cut. Default 1,000.
   */
  readonly graceMs?: number | undefined
}

/** Options of `listener.close()`. */
export interface ListenerCloseOptions {
  /** How long handlers that are at work on its connections are waited for, in milliseconds. Default 0: they are not. */
  readonly graceMs?: number | undefined
}

export type ResolvedEngineOptions = v.InferOutput<typeof engineSchema>
export type ResolvedTransportOptions = v.InferOutput<typeof transportSchema> & {
  readonly maxPendingBytes: number
}

export function parseEngineOptions(options: unknown): ResolvedEngineOptions {
  return parse(engineSchema, options, 'createEngine()', (output, problems) => {
    const { restart, initialRingBytes, maxRingBytes } = output ?? {}
    if (isLess(restart?.maxDelayMs, restart?.initialDelayMs))
      problems.add('restart.maxDelayMs: it must be at least restart.initialDelayMs')
    if (isLess(maxRingBytes, initialRingBytes)) problems.add('maxRingBytes: it must be at least initialRingBytes')
  })
}

export function parseTransportOptions(options: unknown): ResolvedTransportOptions {
  const parsed = parse(transportSchema, options, 'transport()', (output, problems) => {
    const { maxPendingBytes, maxFrameBytes } = output ?? {}
    if (isLess(maxPendingBytes, maxFrameBytes))
      problems.add(`maxPendingBytes: it must be at least maxFrameBytes (${String(maxFrameBytes)})`)
  })
  const { maxPendingBytes = Math.max(DEFAULT_PENDING_BYTES, parsed.maxFrameBytes) } = parsed
  return { ...parsed, maxPendingBytes }
}

export function parseCloseOptions(options: unknown): v.InferOutput<typeof closeSchema> {
  return parse(closeSchema, options, 'close()')
}

export function parseListenerCloseOptions(options: unknown): v.InferOutput<typeof listenerCloseSchema> {
  return parse(listenerCloseSchema, options, 'close()')
}
