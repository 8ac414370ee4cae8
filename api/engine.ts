/** The engine: shards, what runs on them, and the end of it all. */
import type { ConnectionIdentity, LaneConnection } from '../engine/connection/lane-connection.js'
import type { ConnectionSettings } from '../engine/connection/connection-settings.js'
import type { DeliveryTracking } from '../engine/connection/delivery-tracker.js'
import { Children } from '../engine/process/children.js'
import { dialChild } from '../engine/process/dial-child.js'
import { dialProcessStdio } from '../engine/process/dial-process-stdio.js'
import { findWorkerEntry } from '../engine/shard/entry-discovery.js'
import type { BreakerStats } from '../engine/reconnect/breaker.js'
import type { ReconnectingConnection, ReconnectingStats } from '../engine/reconnect/reconnecting-connection.js'
import { Reconnector } from '../engine/reconnect/reconnector.js'
import { Pool } from '../engine/pool/pool.js'
import type { PoolStats } from '../engine/pool/pool-stats.js'
import type { Shard, ShardStats } from '../engine/shard/shard.js'
import { Supervisor } from '../engine/shard/supervisor.js'
import { TransportError } from '../engine/protocol/errors.js'
import { HandlerFailures, type OnError } from '../engine/common/handler-failures.js'
import { Ledger, type LedgerReport, type LedgerSnapshot } from '../engine/common/ledger.js'
import { trace } from '../engine/common/trace.js'
import { systemClock, type Clock } from '../engine/protocol/clock.js'
import { abortError, Waiter, type WaitOptions } from '../engine/protocol/waiter.js'
import { resolveEndpoint, traitsOf, type Endpoint, type ResolvedEndpoint } from './endpoint.js'
import { Breakers } from '../engine/reconnect/breakers.js'
import { LeasedConnection } from './leased-connection.js'
import { HandlersAtWork } from './handlers-at-work.js'
import { connectionSettings } from './connection-settings-of.js'
import { OutlivingHandlers } from './outliving.js'
import type { ConnectionHandler, Listener, ListenOptions } from './listener.js'
import { ListenerRegistry } from './listener-registry.js'
import {
  parseCloseOptions,
  parseEngineOptions,
  parseTransportOptions,
  type CloseOptions,
  type EngineOptions,
  type ResolvedEngineOptions,
  type ResolvedTransportOptions,
  type TransportOptions,
} from './engine-options.js'
import { ConnectionPool } from './connection-pool.js'
import type { ResolvedPoolOptions } from './pool-options.js'
import type { ResolvedReconnectingOptions } from './reconnecting-options.js'
import { Transport } from './transport.js'

/** A snapshot of the engine; figures of a shard's own are read from memory that it shares, without asking it. */
export interface EngineStats {
  readonly shards: readonly ShardStats[]
  /**
   * Shared memory for rings that no shard has, in bytes: kept for the next one that needs it, or let go of and not yet
   * collected. With the `ringMemoryBytes` of all shards, all that there is.
   */
  readonly spareRingMemoryBytes: number
  readonly connections: number
  readonly listeners: number
  readonly pendingConnects: number
  /** Of pools that are not closed. */
  readonly pools: readonly EnginePoolStats[]
  readonly reconnectingConnections: readonly ReconnectingStats[]
  /** Of endpoints that links dial or have dialled. */
  readonly breakers: readonly BreakerStats[]
  /** What was opened and released so far; `engine.close()` says what was never released. */
  readonly ledger: LedgerSnapshot
}

/** A pool, and what it connects to. */
export interface EnginePoolStats extends PoolStats {
  readonly endpoint: string
}

/** The part of `graceMs` in which nothing is closed while any handler is at work: it may need the others to reply. */
const HANDLERS_SHARE = 0.75

/** How much longer than `graceMs` threads may take to end by themselves when the engine closes. */
const THREAD_GRACE_MS = 1_000

/**
 * How long threads may take in all to end once nothing of theirs is left. The system can hold one: on Windows a wait
 * for a busy pipe takes up to 30 s, and nothing interrupts it.
 */
const HELD_THREAD_MS = 6_000

type State = { readonly kind: 'open' } | { readonly kind: 'closing'; readonly report: Promise<LedgerReport> }

/** Starts an engine. Rejects with ERR_INVALID_OPTION or ERR_SHARD_BOOT, and has then left nothing behind. */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const engine = new Engine(parseEngineOptions(options))
  await engine.booted
  return engine
}

export class Engine implements AsyncDisposable {
  /** @internal */
  readonly booted: Promise<void>
  readonly #options: ResolvedEngineOptions
  readonly #clock: Clock
  readonly #ledger = new Ledger()
  readonly #supervisor: Supervisor
  readonly #children: Children
  readonly #listeners: ListenerRegistry
  readonly #pools = new Set<Pool<LaneConnection, LeasedConnection>>()
  readonly #pendingConnects = new Set<(error: TransportError) => void>()
  readonly #reconnecting = new Set<Reconnector<LaneConnection>>()
  readonly #breakers: Breakers
  readonly #failures: HandlerFailures
  readonly #outliving = new OutlivingHandlers()
  #state: State = { kind: 'open' }

  /** @internal Engines are made by `createEngine()`. */
  constructor(options: ResolvedEngineOptions, clock: Clock = systemClock) {
    this.#options = options
    this.#clock = clock
    this.#children = new Children(this.#ledger, clock)
    const settings = { ...options, entry: findWorkerEntry(options.workerEntry) }
    this.#breakers = new Breakers(clock)
    this.#failures = new HandlerFailures(clock, options.onError)
    this.#listeners = new ListenerRegistry({
      // Shards name it before the supervisor of all of them is there.
      supervisor: () => this.#supervisor,
      shards: options.shards,
      ledger: this.#ledger,
      clock,
      isOpen: () => this.#state.kind === 'open',
      assertOpen: (endpoint) => {
        this.#assertOpen(endpoint)
      },
      connectionSettings: (transportOptions, onError) => this.#connectionSettings(transportOptions, undefined, onError),
    })
    this.#supervisor = new Supervisor(settings, this.#ledger, this.#listeners, clock)
    this.booted = this.#supervisor.boot()
  }

  /**
   * An endpoint to connect to or to listen on. Nothing is opened yet.
   * @throws {TransportError} ERR_INVALID_ENDPOINT, ERR_PATH_TOO_LONG, ERR_UNSUPPORTED_PLATFORM, ERR_INVALID_OPTION
   */
  transport(endpoint: Endpoint, options: TransportOptions = {}): Transport {
    return new Transport(this, resolveEndpoint(endpoint), parseTransportOptions(options))
  }

  stats(): EngineStats {
    const shards = this.#supervisor.stats()
    return {
      shards,
      spareRingMemoryBytes: this.#supervisor.spareMemoryBytes,
      connections: shards.reduce((sum, shard) => sum + shard.connections, 0),
      listeners: this.#listeners.size,
      pendingConnects: this.#pendingConnects.size,
      pools: [...this.#pools].map((pool) => ({ endpoint: pool.endpoint, ...pool.stats() })),
      reconnectingConnections: [...this.#reconnecting].map((link) => link.stats),
      breakers: this.#breakers.stats,
      ledger: this.#ledger.snapshot(),
    }
  }

  /**
   * Stops accepting, aborts pending connects, lets handlers that are at work finish and what was sent leave within
   * `graceMs`, cuts the rest, ends the threads. A handler is at work on what had come when this was called; one that
   * waits for its peer is not. One that never settles costs the whole of `graceMs`, as one does that waits for this
   * itself. A child process is sent SIGTERM by then, and has its own `killAfterMs` from there on, which `graceMs` does
   * not bound. Resolves with what was opened and what was released. A thread that the system holds is not waited for
   * longer than six seconds: the ledger names it as not released. A second call returns the first one's promise.
   * Rejects with ERR_INVALID_OPTION, and has then closed nothing.
   */
  close(options: CloseOptions = {}): Promise<LedgerReport> {
    if (this.#state.kind === 'closing') return this.#state.report
    let graceMs: number
    try {
      graceMs = parseCloseOptions(options).graceMs
    } catch (error) {
      if (error instanceof TransportError) return Promise.reject(error)
      throw error
    }
    const report = this.#close(graceMs)
    this.#state = { kind: 'closing', report }
    return report
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  /** @internal */
  async connect(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    wait: WaitOptions,
    tracking?: DeliveryTracking,
  ): Promise<LaneConnection> {
    this.#assertOpen(endpoint.text)
    if (wait.signal?.aborted === true) throw abortError('connecting', endpoint.text, wait.signal.reason)
    let abort = (): void => undefined
    const timeoutMs = wait.timeoutMs ?? options.connectTimeoutMs
    const waiter = new Waiter<LaneConnection>(
      `connecting to ${endpoint.text}`,
      endpoint.text,
      { signal: wait.signal, timeoutMs },
      this.#clock,
      () => {
        abort()
      },
    )
    const giveUp = (error: TransportError): void => {
      waiter.reject(error)
      abort()
    }
    this.#pendingConnects.add(giveUp)
    const identity: ConnectionIdentity = {
      kind: endpoint.kind,
      endpoint: endpoint.text,
      role: 'dialled',
      halfClose: traitsOf(endpoint).halfClose,
    }
    const onStarted = (stop: () => void): void => {
      abort = stop
    }
    const { route } = endpoint
    const control = { onStarted, timeoutMs }
    const link = this.#connectionSettings(options, tracking)
    const dialOn = (shard: Shard): Promise<LaneConnection> => {
      switch (route.via) {
        case 'target':
          return shard.dial(route.target, link, identity, control)
        case 'child':
          return dialChild(shard, route.child, link, identity, control, this.#children)
        case 'process-stdio':
          return dialProcessStdio(shard, link, identity, control, this.#ledger)
      }
    }
    const settle = (connection: LaneConnection | undefined): void => {
      // Given up while the answer was on its way: nobody else will close it.
      if (waiter.settled) connection?.destroy()
      else if (connection !== undefined) waiter.resolve(connection)
    }
    // At once where a shard is up, so that connections asked for in one turn spread by what each has taken already.
    const shard = this.#supervisor.leastLoaded()
    const dialling = shard === undefined ? this.#dialWhenUp(dialOn, () => waiter.settled) : dialOn(shard)
    dialling.then(settle, (error: unknown) => {
      waiter.reject(error as Error)
    })
    try {
      return await waiter.promise
    } finally {
      this.#pendingConnects.delete(giveUp)
    }
  }

  /** @internal */
  reconnecting(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    settings: ResolvedReconnectingOptions,
  ): ReconnectingConnection {
    this.#assertOpen(endpoint.text)
    const { retainBytes, maxAttempts = Infinity, maxElapsedMs = Infinity, heartbeat } = settings
    const use = settings.breaker === false ? undefined : this.#breakers.use(endpoint.text, settings.breaker)
    const link = new Reconnector<LaneConnection>({
      endpoint: endpoint.text,
      kind: endpoint.kind,
      halfClose: traitsOf(endpoint).halfClose,
      framing: options.framing,
      maxFrameBytes: options.maxFrameBytes,
      maxPendingBytes: options.maxPendingBytes,
      connectTimeoutMs: options.connectTimeoutMs,
      closeTimeoutMs: options.closeTimeoutMs,
      backoff: settings.backoff,
      maxAttempts,
      maxElapsedMs,
      stableMs: settings.stableMs,
      firstConnect: settings.firstConnect,
      unsent: settings.unsent,
      heartbeat: heartbeat === undefined ? undefined : { ping: undefined, isPong: undefined, ...heartbeat },
      onConnected: settings.onConnected,
      onLoss: settings.onLoss,
      failures: this.#failures,
      clock: this.#clock,
      random: Math.random,
      breaker: use?.breaker,
      dial: (wait) => this.connect(endpoint, options, wait, { retainBytes }),
      keepAlive: (on) => {
        this.#supervisor.keepAlive(on)
      },
      onClosed: () => {
        this.#reconnecting.delete(link)
        this.#ledger.release('reconnectingConnections')
        use?.end()
      },
    })
    this.#ledger.open('reconnectingConnections')
    this.#reconnecting.add(link)
    return link
  }

  /** @internal */
  listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
    listenOptions: ListenOptions,
  ): Promise<Listener> {
    return this.#listeners.listen(endpoint, options, handler, listenOptions)
  }

  /** @internal */
  pool(endpoint: ResolvedEndpoint, options: ResolvedTransportOptions, settings: ResolvedPoolOptions): ConnectionPool {
    this.#assertOpen(endpoint.text)
    const pool = new Pool<LaneConnection, LeasedConnection>(
      {
        ...settings,
        maxLifetimeMs: settings.maxLifetimeMs,
        leakAfterMs: settings.leakAfterMs,
        validate: settings.validate,
      },
      {
        endpoint: endpoint.text,
        clock: this.#clock,
        failures: this.#failures,
        random: Math.random,
        dial: (wait) => this.connect(endpoint, options, wait),
        present: (connection, gate) => new LeasedConnection(connection, gate),
      },
    )
    this.#pools.add(pool)
    this.#ledger.open('pools')
    void pool.closed.then(() => {
      this.#pools.delete(pool)
      this.#ledger.release('pools')
    })
    return new ConnectionPool(pool, settings)
  }

  async #dialWhenUp(
    dial: (shard: Shard) => Promise<LaneConnection>,
    isGivenUp: () => boolean,
  ): Promise<LaneConnection | undefined> {
    for (;;) {
      const shard = this.#supervisor.leastLoaded()
      if (shard !== undefined) return dial(shard)
      await this.#supervisor.waitForShard()
      if (isGivenUp()) return undefined
    }
  }

  #connectionSettings(
    options: ResolvedTransportOptions,
    tracking?: DeliveryTracking,
    onError?: OnError,
  ): ConnectionSettings {
    const ground = {
      maxRingBytes: this.#options.maxRingBytes,
      clock: this.#clock,
      failures: this.#failures.with(onError),
      onOutlived: (done: Promise<void>) => {
        this.#outliving.add(done)
      },
    }
    return connectionSettings(options, ground, tracking)
  }

  #assertOpen(endpoint: string): void {
    if (this.#state.kind === 'open') return
    throw new TransportError('ERR_ENGINE_CLOSED', 'the engine is closed. Create a new one.', { endpoint })
  }

  async #close(graceMs: number): Promise<LedgerReport> {
    trace('engine: closing')
    const error = new TransportError('ERR_ENGINE_CLOSED', 'the engine was closed while this was pending.')
    const supervisor = this.#supervisor
    const handlers = new HandlersAtWork(
      [...supervisor.connections, ...this.#reconnecting],
      this.#outliving,
      this.#clock,
      graceMs * HANDLERS_SHARE,
    )
    const cancelCut = this.#clock.setTimer(() => {
      handlers.giveUp()
      for (const link of this.#reconnecting) link.destroy(error)
      for (const connection of supervisor.connections) connection.destroy(error)
      this.#children.endNow()
    }, graceMs)
    // A thread that does not answer would hold up everything that waits for it.
    const cancelKill = this.#clock.setTimer(() => {
      supervisor.killAll(new Error('the worker thread did not end in time when the engine was closed'))
    }, graceMs + THREAD_GRACE_MS)
    // Before the dials that pools have under way: they are not to begin others. Leases may go on until connections are
    // cut.
    const pools = [...this.#pools]
    for (const pool of pools) void pool.close(undefined, error)
    // Before dials are given up: they must not connect again. By the others somebody at work may want to reply.
    for (const link of this.#reconnecting) if (!handlers.areAtWork || link.state !== 'connected') void link.close()
    for (const giveUp of this.#pendingConnects) giveUp(error)
    this.#listeners.giveUp(error)
    supervisor.startNoMore(error)
    this.#children.startNoMore(error)
    await this.#listeners.close()
    await handlers.done()
    // What a link has queued goes by its connection, so that comes later.
    const others = supervisor.connections.filter((connection) => !connection.carriesLink)
    await Promise.all([handlers.closeEach(this.#reconnecting), handlers.closeEach(others)])
    await handlers.closeEach(supervisor.connections)
    for (const pool of pools) pool.cut()
    await Promise.all(pools.map((pool) => pool.closed))
    // Also those whose connections have ended before.
    await this.#children.gone()
    cancelCut()
    let cancelHeld = (): void => undefined
    const held = new Promise<void>((resolve) => {
      cancelHeld = this.#clock.setTimer(resolve, HELD_THREAD_MS)
    })
    await Promise.race([supervisor.stop(), held])
    cancelHeld()
    cancelKill()
    this.#failures.flush()
    return this.#ledger.report()
  }
}
