/** Statistics of a running engine for whoever asks at a local endpoint, such as `symphony-transport top`. */
import { flagCheck } from '../../engine/common/option-checks.js'
import { readOptions } from '../../engine/common/option-problems.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { Connection, Endpoint, Engine, EngineStats } from '../index.js'

/** What a client asks with, as one line. */
export const STATS_QUESTION = 'stats'
export const STATS_FORMAT = 'symphony-transport stats'
/** Of the answer's form; another one means that older readers cannot read it. */
export const STATS_VERSION = 1

/** The most bytes of an answer. */
const MOST_BYTES = 1_048_576
/** Pools, links and breakers are told up to so many of each. */
const MOST_NAMED = 200
/** A client that asks again sooner is cut; for all clients together no more snapshots are taken. */
const LEAST_INTERVAL_MS = 100
const FRAME_TIMEOUT_MS = 5_000
const MOST_CLIENTS = 8
/** How long a client has for its first question, and to take an answer. */
const PATIENCE_MS = 30_000
/** How long it may ask nothing: `top --interval` is an hour at most. */
const MOST_QUIET_MS = 7_200_000

/** Options of `serveStats()`. */
export interface ServeStatsOptions {
  /**
   * Whether the endpoint may be one that other users of the machine can reach: an abstract name, an inherited socket, a
   * pipe that others may write to. Default false: such an endpoint is refused.
   */
  readonly allowOtherUsers?: boolean | undefined
}

/** What `serveStats()` resolves with. */
export interface StatsServer extends AsyncDisposable {
  /** The endpoint as text. */
  readonly endpoint: string
  /** Ends it, with its connections. It ends with its engine, too. */
  close(): Promise<void>
}

/** One answer: a line of JSON. */
export interface StatsAnswer {
  readonly format: 'symphony-transport stats'
  readonly version: 1
  readonly pid: number
  readonly node: string
  /** When it was taken, in milliseconds since some fixed moment of the process. */
  readonly at: number
  readonly main: {
    /** The part of the time, 0 to 1, that the main thread's event loop did not sleep since the last answer. */
    readonly eventLoopUtilization: number
  }
  /** What of the counts in `stats` is this server itself. */
  readonly own: { readonly listeners: number; readonly connections: number }
  /** How many of each are not in `stats`, since there are more than 200. */
  readonly leftOut: { readonly pools: number; readonly reconnectingConnections: number; readonly breakers: number }
  readonly stats: EngineStats
}

/**
 * Listens with the framing `line` and answers each line `stats` with `engine.stats()`, as one line of JSON: a
 * `StatsAnswer`. It costs next to nothing: eight clients and ten snapshots a second at most, and it never keeps the
 * process alive. A client that says anything else, or asks more often than ten times a second, is cut, and so is one
 * that for 30 s asks nothing at all or does not take its answer, or asks nothing more for two hours. It lies on the
 * engine's own shards, ends with the engine, and tells in `own` what it is of the counts.
 *
 * Rejects as `transport.listen()` does, and with ERR_INVALID_OPTION: also for an endpoint that other users can reach.
 */
export function serveStats(engine: Engine, endpoint: Endpoint, options: ServeStatsOptions = {}): Promise<StatsServer> {
  return startStatsServer(engine, endpoint, options, systemClock)
}

/** As `serveStats()`, with a clock that a test can move. */
export async function startStatsServer(
  engine: Pick<Engine, 'transport' | 'stats'>,
  endpoint: Endpoint,
  options: ServeStatsOptions,
  clock: Clock,
): Promise<StatsServer> {
  const { allowOtherUsers = false } = readOptions<ServeStatsOptions>(options, checks, 'serveStats()')
  const { endpoint: text } = engine.transport(endpoint)
  if (text.startsWith('shm:')) throw carriesNoLines(text)
  const transport = engine.transport(endpoint, {
    framing: 'line',
    maxFrameBytes: MOST_BYTES,
    frameTimeoutMs: FRAME_TIMEOUT_MS,
    maxConnections: MOST_CLIENTS,
    mode: 0o600,
  })
  if (!allowOtherUsers && isOpenToOthers(endpoint, transport.endpoint)) throw openToOthers(transport.endpoint)
  const clients = new Set<Connection>()
  const snapshots = new Snapshots(engine, clock, () => ({ listeners: 1, connections: clients.size }))
  const listener = await transport.listen((connection) => {
    clients.add(connection)
    void connection.closed.then(() => clients.delete(connection))
    answer(connection.unref(), snapshots, clock)
  })
  listener.unref()
  const close = async (): Promise<void> => {
    const closed = listener.close()
    for (const client of clients) client.destroy()
    await closed
  }
  return { endpoint: listener.endpoint, close, [Symbol.asyncDispose]: close }
}

const checks = {
  allowOtherUsers: flagCheck,
}

function answer(connection: Connection, snapshots: Snapshots, clock: Clock): void {
  let askedAt = -Infinity
  let cancelLook = (): void => undefined
  // Silent clients would keep others out for good.
  const lookLater = (): void => {
    cancelLook = clock.setTimer(look, PATIENCE_MS, { keepsAlive: false })
  }
  const look = (): void => {
    const quietMs = clock.now() - askedAt
    if (quietMs >= MOST_QUIET_MS || (quietMs >= PATIENCE_MS && connection.pendingBytes > 0)) connection.destroy()
    else lookLater()
  }
  lookLater()
  void connection.closed.then(() => cancelLook())
  connection.subscribe((frame) => {
    const now = clock.now()
    const isFair = now - askedAt >= LEAST_INTERVAL_MS && frame.toString('latin1', 0, 16) === STATS_QUESTION
    askedAt = now
    // Whoever reads no answers is not sent any more of them.
    if (!isFair || connection.pendingBytes > 0) connection.destroy()
    else connection.send(snapshots.latest())
  })
}

/** The latest snapshot, which all who ask within a moment share. */
class Snapshots {
  readonly #engine: Pick<Engine, 'stats'>
  readonly #clock: Clock
  readonly #own: () => StatsAnswer['own']
  #main = performance.eventLoopUtilization()
  #latest: { readonly at: number; readonly text: string } | undefined

  constructor(engine: Pick<Engine, 'stats'>, clock: Clock, own: () => StatsAnswer['own']) {
    this.#engine = engine
    this.#clock = clock
    this.#own = own
  }

  latest(): string {
    const at = this.#clock.now()
    if (this.#latest === undefined || at - this.#latest.at >= LEAST_INTERVAL_MS) {
      this.#latest = { at, text: JSON.stringify(this.#take(at)) }
    }
    return this.#latest.text
  }

  #take(at: number): StatsAnswer {
    const main = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(main, this.#main)
    this.#main = main
    const { pools, reconnectingConnections, breakers, ...stats } = this.#engine.stats()
    return {
      format: STATS_FORMAT,
      version: STATS_VERSION,
      pid: process.pid,
      node: process.version,
      at,
      main: { eventLoopUtilization: utilization },
      own: this.#own(),
      leftOut: {
        pools: over(pools),
        reconnectingConnections: over(reconnectingConnections),
        breakers: over(breakers),
      },
      stats: {
        ...stats,
        pools: pools.slice(0, MOST_NAMED),
        reconnectingConnections: reconnectingConnections.slice(0, MOST_NAMED),
        breakers: breakers.slice(0, MOST_NAMED),
      },
    }
  }
}

function over(named: readonly unknown[]): number {
  return Math.max(0, named.length - MOST_NAMED)
}

/** A socket file is its owner's alone, a `local:` name lies in a private folder; of what is inherited nobody knows. */
function isOpenToOthers(endpoint: Endpoint, text: string): boolean {
  const isOpenPipe =
    typeof endpoint === 'object' &&
    endpoint.kind === 'pipe' &&
    (endpoint.readableAll === true || endpoint.writableAll === true)
  return isOpenPipe || text.startsWith('unix:@') || text.startsWith('fd:')
}

function carriesNoLines(endpoint: string): TransportError {
  return new TransportError(
    'ERR_INVALID_OPTION',
    'serveStats(): statistics are lines, which shm: does not carry. Use local:NAME, say.',
    { endpoint },
  )
}

function openToOthers(endpoint: string): TransportError {
  return new TransportError(
    'ERR_INVALID_OPTION',
    `serveStats(): other users of this machine may reach ${endpoint}. Use local:NAME, or set allowOtherUsers: true.`,
    { endpoint },
  )
}
