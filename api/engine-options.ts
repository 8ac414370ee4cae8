/** Options of `createEngine()`, declared once: default, unit, range. */
import { availableParallelism } from 'node:os'
import * as v from 'valibot'
import type { OnError } from '../engine/common/handler-failures.js'
import type { EngineSettings } from '../engine/core/engine-settings.js'
import { regionBytes } from '../engine/protocol/ring-layout.js'
import { callback, inlineWriteBytes, inlineWrites, integer, milliseconds } from './option-schemas.js'
import { isLess, parse } from './read-options.js'

const ringBytes = (fallback: (typeof regionBytes)[number]) => v.optional(v.picklist(regionBytes), fallback)

const wakePolicy = v.union([
  v.picklist(['adaptive', 'park']),
  v.strictObject({ spinMicros: v.pipe(v.number(), v.minValue(0), v.maxValue(1_000_000)) }),
])

/** One shard for each CPU but the host's, at most four: more have brought nothing on local sockets. */
export function defaultShards(cpus: number): number {
  return Math.max(1, Math.min(4, cpus - 1))
}

const DEFAULT_SHARDS = defaultShards(availableParallelism())

export const engineSchema = v.strictObject({
  shards: integer(1, 64, DEFAULT_SHARDS),
  wake: v.optional(wakePolicy, 'adaptive'),
  inlineWrites: v.optional(inlineWrites, 'auto'),
  inlineWriteBytes: v.optional(inlineWriteBytes, 4_096),
  initialRingBytes: ringBytes(8192),
  maxRingBytes: ringBytes(8_388_608),
  bootTimeoutMs: milliseconds(10_000),
  stuckTimeoutMs: milliseconds(5_000, 10),
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
  onError: v.optional(callback<OnError>()),
  traceHops: v.optional(v.boolean(), false),
})

/** Options of `createEngine()`. */
export interface EngineOptions {
  /** Worker threads that carry the I/O; 1 to 64. Default: CPUs minus one, at least 1, at most 4. */
  readonly shards?: number | undefined
  /**
   * How the main thread waits for events. `adaptive` (default): after its own send, the side that dialled polls for the
   * reply for up to 1 ms, where that brings replies sooner. `park`: it always sleeps. `{spinMicros}`: it polls that
   * long after each send, 0 to 1,000,000.
   */
  readonly wake?: 'adaptive' | 'park' | { readonly spinMicros: number } | undefined
  /**
   * Who writes small frames, and reads the answers. `auto` (default): on Unix sockets and to children, with the framing
   * `length`, main writes to the socket itself once a connection makes round trips, and reads from a few Unix
   * sockets of such connections: up to eight that it has dialled, and four that it has accepted. `never`: only
   * worker threads use sockets of peers.
   */
  readonly inlineWrites?: 'auto' | 'never' | undefined
  /** Most bytes that main writes at one time, all frames of a turn together; 64 to 65,536. Default 4,096. */
  readonly inlineWriteBytes?: number | undefined
  /** Bytes of each ring of a new connection: 4096, 8192, 32768, 131072, 524288, 2097152, 8388608. Default 8192. */
  readonly initialRingBytes?: number | undefined
  /** Bytes that a ring may grow to, of the same sizes: past 2 MiB only for frames that are large. Default 8388608. */
  readonly maxRingBytes?: number | undefined
  /** How long a worker thread may take to start, in milliseconds. Default 10,000. */
  readonly bootTimeoutMs?: number | undefined
  /**
   * How long a worker thread may leave work untaken before it is probed, and then how long it may take to answer, in
   * milliseconds, at least 10. If it does not answer it is stuck: it is ended and replaced. Default 5,000.
   */
  readonly stuckTimeoutMs?: number | undefined
  /** JavaScript heap of one worker thread, in MiB, 16 to 65,536; a thread that needs more dies. Default 1,024. */
  readonly shardHeapMb?: number | undefined
  /** How worker threads that die are replaced. */
  readonly restart?: RestartOptions | undefined
  /**
   * The worker module, for bundled hosts: path or file URL of `symphony-transport/worker`, best bundled as CommonJS.
   * Default: found beside the engine.
   */
  readonly workerEntry?: string | URL | undefined
  /**
   * Called with each failure of the host's functions (listener callback, subscriber, `onLoss`, …): an ERR_HANDLER with
   * its cause, where, and of which connection. Default: a process warning, once for each place, at most ten a minute.
   */
  readonly onError?: OnError | undefined
  /**
   * Measures where the time of round trips goes, for `engine.stats().hops`. Default false, unless the environment has
   * NODE_DEBUG=symphony-hops.
   */
  readonly traceHops?: boolean | undefined
}

/** How worker threads that die are replaced. One that dies more often is given up, with a process warning. */
export interface RestartOptions {
  /** How often each shard is replaced in any `windowMs`; 0 to 1,000. Default 5. */
  readonly max?: number | undefined
  /** Milliseconds. Default 60,000. */
  readonly windowMs?: number | undefined
  /** Pause before the first replacement in a window, doubled each time, in milliseconds. Default 50. */
  readonly initialDelayMs?: number | undefined
  /** Longest pause, in milliseconds; at least `initialDelayMs`. Default 5,000. */
  readonly maxDelayMs?: number | undefined
}

/** Options of `engine.close()`. */
export interface CloseOptions {
  /** How long handlers may work and sent frames may take to leave, in milliseconds, until all is cut. Default 1,000. */
  readonly graceMs?: number | undefined
}

export function parseEngineOptions(options: unknown): EngineSettings {
  const { workerEntry, onError, ...settings } = parse(engineSchema, options, 'createEngine()', (output, problems) => {
    const { restart, initialRingBytes, maxRingBytes } = output ?? {}
    if (isLess(restart?.maxDelayMs, restart?.initialDelayMs))
      problems.add('restart.maxDelayMs: it must be at least restart.initialDelayMs')
    if (isLess(maxRingBytes, initialRingBytes)) problems.add('maxRingBytes: it must be at least initialRingBytes')
  })
  return { ...settings, workerEntry, onError }
}
