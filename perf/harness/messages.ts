/** The messages between the runner and the measured programs. */
import type { HopStats } from '../../api/index.js'
import type { FramingKind } from '../../engine/protocol/framing.js'
import type { Transport } from './meeting-place.js'
import type { ResidentMemory } from './resident-memory.js'

/**
 * `engine-module` is an engine that serves by a handler module in its shards, `net-cluster` one process for each shard.
 * `http` is HTTP of others. The
 * last two start their own child process and need no other side.
 */
export type Stack = 'engine' | 'engine-module' | 'net' | 'net-cluster' | 'http' | 'engine-child' | 'child-process'

/**
 * `lease`: a connection of a pool for each request, and so one request at a time on it. `pipeline`: every connection
 * carries many requests at a time, and their answers come in order.
 */
export const sharings = ['lease', 'pipeline'] as const
export type Sharing = (typeof sharings)[number]

/** An HTTP server that asks the other side for each of its requests. */
export interface HostConfig {
  readonly server: 'fastify' | 'node:http'
  /** Where it listens. */
  readonly path: string
  readonly sharing: Sharing
}

export interface SideConfig {
  /**
   * `hub`: echoes frames of `HUB_ECHO_BYTES`, counts all others, and watches how late its timers are.
   * `host`: an HTTP server, each of whose requests is a round trip.
   * `answer`: a server that answers each frame with the same frame.
   * `work`: a server that does what each frame asks for, and answers with the result.
   * `bursts`: sends bursts of frames, and is blocked after each; `take`: takes them, and answers each burst.
   * `clients`: as many clients as `connections`, each of which sends one request after the other.
   */
  readonly role:
    'echo' | 'ping' | 'sink' | 'source' | 'hub' | 'host' | 'answer' | 'work' | 'clients' | 'bursts' | 'take'
  readonly stack: Stack
  readonly path: string
  /** Of `bursts` and `take`: one of them listens, the other one dials. */
  readonly listens?: boolean | undefined
  readonly connections: number
  /** `net` only: frames to a cork; 1 writes each by itself. */
  readonly corkFrames: number
  readonly shards: number | undefined
  readonly wake: 'adaptive' | 'park' | { readonly spinMicros: number } | undefined
  readonly inlineWrites: 'auto' | 'never' | undefined
  /** `engine` only. True: many frames in one call, where it pays. Default: one by one. */
  readonly batches?: boolean | undefined
  /** Default: `length`. Plain `net` has `line` and `content-length` besides where it answers. */
  readonly framing?: FramingKind | undefined
  /** `engine` only. Default: the platform's sockets. */
  readonly transport?: Transport | undefined
  /** Of an engine: the URL of its `api/index.js`. Default: this tree's. */
  readonly engine?: string | undefined
  /** `engine` only. Default: false. */
  readonly traceHops?: boolean | undefined
  /** Of a `host`. */
  readonly host?: HostConfig | undefined
}

export interface PingOrder {
  readonly kind: 'ping'
  readonly bytes: number
  readonly count: number
}

/** Round trips that are due at fixed times, over all connections in turn. */
export interface OpenLoopOrder {
  readonly kind: 'open-loop'
  readonly bytes: number
  readonly count: number
  readonly rateHz: number
  /** Whether the result has the times of each. */
  readonly keepsTimes?: boolean | undefined
}

/** Each client sends its next request once the whole answer to its last one is back. */
export interface RequestsOrder {
  readonly kind: 'requests'
  readonly bytes: number
  /** Over all clients together. */
  readonly count: number
  /** Of a server that works: laps for each request. Undefined: it echoes. */
  readonly laps?: number | undefined
  /** Frames of a request, which leave together; `count` counts requests. Default: 1. */
  readonly batch?: number | undefined
}

export interface SourceOrder {
  readonly kind: 'source'
  readonly bytes: number
  /** Over all connections together. */
  readonly frames: number
}

export interface SinkOrder {
  readonly kind: 'sink'
  readonly frames: number
}

/** Sends as fast as backpressure allows, until the order to stop. */
export interface FloodOrder {
  readonly kind: 'flood'
  readonly bytes: number
}

export interface StopFloodOrder {
  readonly kind: 'stop-flood'
}

/** The hub forgets what it has counted and begins to watch its timers. */
export interface WatchOrder {
  readonly kind: 'watch'
}

export interface ReportOrder {
  readonly kind: 'report'
}

/** How late the event loop of the main thread is, from the first of these to the second. */
export interface DelayOrder {
  readonly kind: 'watch-delay' | 'report-delay'
}

/** The hops that the engine has traced are forgotten, or told. */
export interface HopsOrder {
  readonly kind: 'reset-hops' | 'report-hops'
}

/** How busy the event loops of the process are, from the first of these to the second. */
export interface LoopsOrder {
  readonly kind: 'watch-loops' | 'report-loops'
}

/** Block the main thread, and let it rest, in turns; until the order to stop, which gets the blocks. */
export interface BlockOrder {
  readonly kind: 'block'
  readonly blockMs: number
  readonly restMs: number
}

export interface UnblockOrder {
  readonly kind: 'unblock'
}

/** `frames` of `bytes` each, then a block, `count` times. */
export interface BurstsOrder {
  readonly kind: 'bursts'
  readonly bytes: number
  readonly frames: number
  readonly count: number
  readonly blockMs: number
  /** Whether the thread is blocked in the turn that has sent them, or in a later one. */
  readonly when: 'at once' | 'a turn later'
}

export interface TakeOrder {
  readonly kind: 'take'
  readonly frames: number
  readonly count: number
}

/** Close everything and end; the exit code tells whether everything was released. */
export interface StopOrder {
  readonly kind: 'stop'
}

export type Order =
  | PingOrder
  | OpenLoopOrder
  | RequestsOrder
  | SourceOrder
  | SinkOrder
  | FloodOrder
  | StopFloodOrder
  | WatchOrder
  | ReportOrder
  | DelayOrder
  | HopsOrder
  | LoopsOrder
  | BlockOrder
  | UnblockOrder
  | BurstsOrder
  | TakeOrder
  | StopOrder

export interface PingResult {
  readonly kind: 'ping'
  readonly count: number
  readonly wrong: number
  readonly meanMicros: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** How long they took, as `Distribution` encodes it. */
  readonly distribution: string
}

export interface OpenLoopResult {
  readonly kind: 'open-loop'
  readonly count: number
  readonly wrong: number
  /** From the time at which each was due to its answer, as `Distribution` encodes it. */
  readonly distribution: string
  /** How long after that time each was sent. */
  readonly lateness: string
  /** CPU of what kept the times; undefined where the system does not tell. */
  readonly pacerCpuMs: number | undefined
  /** Milliseconds of CLOCK_MONOTONIC, by number. */
  readonly times?: readonly { readonly due: number; readonly sent: number; readonly answered: number }[] | undefined
}

export interface RequestsResult {
  readonly kind: 'requests'
  /** From the first request to the last answer. */
  readonly seconds: number
  readonly count: number
  /** Answers that were not, byte for byte, what they had to be. */
  readonly wrong: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** How long they took, as `Distribution` encodes it. */
  readonly distribution: string
}

export interface SourceResult {
  readonly kind: 'source'
  /** CLOCK_MONOTONIC, the same for every process of the machine. */
  readonly startedNs: string
  readonly frames: number
  readonly checksum: number
}

export interface SinkResult {
  readonly kind: 'sink'
  readonly endedNs: string
  readonly frames: number
  readonly bytes: number
  readonly checksum: number
}

export interface FloodResult {
  readonly kind: 'flood'
  readonly frames: number
}

export interface HubResult {
  readonly kind: 'hub'
  /** Frames that were not echoed, and their payload bytes. */
  readonly frames: number
  readonly bytes: number
  readonly seconds: number
  /** How much later than asked timers fired, milliseconds. */
  readonly timerMeanMs: number
  readonly timerP99Ms: number
}

export interface LoopDelay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface DelayResult {
  readonly kind: 'delay'
  /** Undefined: it was too short a time to tell. */
  readonly delay: LoopDelay | undefined
}

export interface HopsResult {
  readonly kind: 'hops'
  /** Of a stack that traces none: none. */
  readonly hops: readonly HopStats[]
}

/** A time in which a main thread was blocked, milliseconds of CLOCK_MONOTONIC. */
export interface Block {
  readonly from: number
  readonly to: number
}

/** From 0 to 1: the part of the time in which a thread's event loop did not sleep. */
export interface LoopsResult {
  readonly kind: 'loops'
  readonly main: number
  /** Of each shard of an engine; empty where there is none, or it was too short a time to tell. */
  readonly shards: readonly number[]
}

export interface BlocksResult {
  readonly kind: 'blocks'
  readonly blocks: readonly Block[]
}

export interface BurstsResult {
  readonly kind: 'bursts'
  /** One after each burst. */
  readonly blocks: readonly Block[]
  readonly frames: number
  readonly checksum: number
}

export interface TakenResult {
  readonly kind: 'taken'
  /** When each frame was there, milliseconds of CLOCK_MONOTONIC. */
  readonly arrivals: readonly number[]
  readonly bytes: number
  readonly checksum: number
}

export type Result =
  | PingResult
  | OpenLoopResult
  | RequestsResult
  | SourceResult
  | SinkResult
  | FloodResult
  | HubResult
  | DelayResult
  | LoopsResult
  | BlocksResult
  | BurstsResult
  | TakenResult
  | HopsResult

export type FromSide =
  /** `fallback`: why connections that asked for shared memory go over their sockets. */
  | { readonly kind: 'ready'; readonly fallback?: string | undefined }
  | { readonly kind: 'armed' }
  | Result
  | { readonly kind: 'failed'; readonly message: string }

/** Of a program that holds connections. */
export interface HolderConfig {
  readonly stack: 'engine' | 'net'
  readonly role: 'dial' | 'accept'
  readonly path: string
  /** `engine` only. Default: the platform's sockets. */
  readonly transport?: Transport | undefined
  readonly count: number
  /** What each of them carries in a burst. */
  readonly burstBytes: number
}

/** `burst`: who has dialled sends one over each connection, and says when all have been answered. */
export interface HolderOrder {
  readonly kind: 'burst' | 'measure'
}

export interface Holding extends ResidentMemory {
  /** Undefined where the system does not tell. */
  readonly descriptors: number | undefined
  /** Kept for the rings of shared memory in each of both processes, which have it together. */
  readonly reservedBytes: number
  /** What the engine has for rings, and how much of it rings use. */
  readonly ringBytes: number
  readonly ringBytesInUse: number
  /** Payload that has come over all connections. */
  readonly receivedBytes: number
  /** Why connections that asked for shared memory go over their sockets; undefined: none does. */
  readonly fallback?: string | undefined
}

export type FromHolder =
  | ({ readonly kind: 'before' } & Holding)
  | ({ readonly kind: 'after' } & Holding)
  | { readonly kind: 'held' }
  | { readonly kind: 'answered' }

/** Payload size of the frames that a hub sends back. */
export const HUB_ECHO_BYTES = 64

/** What a host is asked for, with the laps of work behind it, and what it answers. */
export const HOST_PATH = '/work/'
export const HOST_REPLY = 'round trip'

/**
 * How many different frames are sent in turn, a power of two. Each is a separate buffer, because `net` may keep it
 * after write().
 */
export const STAMPS = 16

/** The value of byte 0 in frame number `n`; sender and receiver add these up. */
export function stamp(n: number): number {
  return n & (STAMPS - 1)
}

/** Above all bytes that can end a line, so that every framing can carry it. */
export const STAMP_BASE = 0x40

/** Of the frame that begins there. */
export function stampOf(bytes: Buffer, offset = 0): number {
  return (bytes[offset] ?? 0) - STAMP_BASE
}
