/** The engine: shards, what runs on them, and the end of it all. */
import type { Connection, LinkIdentity } from '../engine/link/connection.js'
import type { LinkOptions } from '../engine/link/options.js'
import type { SalvageSettings } from '../engine/link/salvage.js'
import { Children } from '../engine/shard/children.js'
import { dialChild } from '../engine/shard/dial-child.js'
import { dialOwnStdio } from '../engine/shard/own-stdio.js'
import { findWorkerEntry } from '../engine/shard/entry-discovery.js'
import { Breaker, type BreakerStats } from '../engine/resilience/breaker.js'
import { ReconnectingConnection, type LinkStats } from '../engine/resilience/reconnecting.js'
import { Listening } from '../engine/shard/listening.js'
import { Pool } from '../engine/resilience/pool.js'
import type { PoolStats } from '../engine/resilience/pool-stats.js'
import type { Shard, ShardStats } from '../engine/shard/shard.js'
import { Supervisor, type SupervisorEvents } from '../engine/shard/supervisor.js'
import type { ShardEvents } from '../engine/shared/control.js'
import { events } from '../engine/shared/diagnostics.js'
import { fromWireError, TransportError } from '../engine/shared/errors.js'
import { Ledger, type LedgerReport } from '../engine/shared/ledger.js'
import { trace } from '../engine/shared/trace.js'
import { abortError, systemClock, Waiter, type Clock, type WaitOptions } from '../engine/shared/waiter.js'
import { resolveEndpoint, SOCKET_PATH_LIMIT, type Endpoint, type ResolvedEndpoint } from './endpoint.js'
import { LeasedConnection } from './leased-connection.js'
import { Listener, type ConnectionHandler } from './listener.js'
import {
  parseCloseOptions,
  parseEngineOptions,
  parseTransportOptions,
  type CloseOptions,
  type EngineOptions,
  type ResolvedEngineOptions,
  type ResolvedTransportOptions,
  type TransportOptions,
} from './options.js'
import { ConnectionPool } from './pool.js'
import type { ResolvedPoolOptions } from './pool-options.js'
import type { ResolvedReconnectingOptions } from './reconnecting-options.js'
import { Transport } from './transport.js'

/** A snapshot of the engine; figures of a shard's own are read from memory that it shares, without asking it. */
export interface EngineStats {
  readonly shards: readonly ShardStats[]
  readonly connections: number
  readonly listeners: number
  readonly pendingConnects: number
  /** Of pools that are not closed. */
  readonly pools: readonly EnginePoolStats[]
  readonly links: readonly LinkStats[]
  /** Of endpoints that links dial or have dialled. */
  readonly breakers: readonly BreakerStats[]
  readonly ledger: LedgerReport
}

/** A pool, and what it connects to. */
export interface EnginePoolStats extends PoolStats {
  readonly endpoint: string
}

/** How much longer than `graceMs` threads may take to end by themselves when the engine closes. */
const THREAD_GRACE_MS = 1_000

/**
 * How long threads may take in all to end once nothing of theirs is left. The system can hold one: on Windows a wait for a
 * busy pipe takes up to 30 s, and nothing interrupts it.
 */
const HELD_THREAD_MS = 6_000

/** The fewest untaken connections on one shard that make it stop accepting: fewer are just on their way to be taken. */
const LEAST_QUEUED = 16

/** Pauses between attempts to put a listener onto a shard, or to let it go on there. */
const INSIST_FIRST_MS = 50
const INSIST_LONGEST_MS = 5_000

/** A listener, what it listens with, and what its connections get. */
interface OpenListener {
  readonly listener: Listener
  readonly listening: Listening
  readonly endpoint: ResolvedEndpoint
  readonly options: LinkOptions
}

interface SharedBreaker {
  readonly breaker: Breaker
  /** Links that use it. */
  users: number
}

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
  readonly #listeners = new Map<number, OpenListener>()
  /** What shards say of listeners that are not there yet: one that listens already may have accepted somebody. */
  readonly #early = new Map<number, (() => void)[]>()
  readonly #pools = new Set<Pool<Connection, LeasedConnection>>()
  readonly #pendingConnects = new Set<(error: TransportError) => void>()
  readonly #pendingListens = new Map<Promise<Listener>, (error: TransportError) => void>()
  readonly #links = new Set<ReconnectingConnection<Connection>>()
  readonly #breakers = new Map<string, SharedBreaker>()
  #nextListenerId = 1
  #state: State = { kind: 'open' }

  /** @internal Engines are made by `createEngine()`. */
  constructor(options: ResolvedEngineOptions, clock: Clock = systemClock) {
    this.#options = options
    this.#clock = clock
    this.#children = new Children(this.#ledger, clock)
    const settings = { ...options, entry: findWorkerEntry(options.workerEntry) }
    const hooks: SupervisorEvents = {
      eventsOf: (shard) => this.#eventsOf(shard),
      onLost: (shard) => {
        for (const open of this.#listeners.values()) {
          open.listening.forget(shard)
          open.listener.onSourceLost(shard)
          // Another shard takes it over at once.
          if (listensOnOneShard(open.endpoint)) this.#rejoin(open, [])
        }
      },
      onRestored: (shard) => {
        for (const open of this.#listeners.values()) this.#rejoin(open, [shard])
      },
      onGivenUp: () => {
        if (this.#supervisor.isLost) this.#failListeners()
      },
    }
    this.#supervisor = new Supervisor(settings, this.#ledger, hooks, clock)
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
      connections: shards.reduce((sum, shard) => sum + shard.connections, 0),
      listeners: this.#listeners.size,
      pendingConnects: this.#pendingConnects.size,
      pools: [...this.#pools].map((pool) => ({ endpoint: pool.endpoint, ...pool.stats() })),
      links: [...this.#links].map((link) => link.stats),
      breakers: [...this.#breakers.values()].map(({ breaker }) => breaker.stats),
      ledger: this.#ledger.report(),
    }
  }

  /**
   * Stops accepting, aborts pending connects, lets what was sent leave within `graceMs`, cuts the rest, ends the
   * threads. Resolves with what was opened and what was released. A thread that the system holds is not waited for longer
   * than six seconds: the ledger names it as not released. A second call returns the first one's promise.
   */
  close(options: CloseOptions = {}): Promise<LedgerReport> {
    if (this.#state.kind === 'closing') return this.#state.report
    const report = this.#close(parseCloseOptions(options).graceMs)
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
    salvage?: SalvageSettings,
  ): Promise<Connection> {
    this.#assertOpen(endpoint.text)
    if (wait.signal?.aborted === true) throw abortError('connecting', endpoint.text, wait.signal.reason)
    let abort = (): void => undefined
    const timeoutMs = wait.timeoutMs ?? options.connectTimeoutMs
    const waiter = new Waiter<Connection>(
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
    const identity: LinkIdentity = {
      kind: endpoint.kind,
      endpoint: endpoint.text,
      role: 'dialled',
      halfClose: hasHalfClose(endpoint),
    }
    const onStarted = (stop: () => void): void => {
      abort = stop
    }
    const { route } = endpoint
    const control = { onStarted, timeoutMs }
    const linkOptions = this.#linkOptions(options, salvage)
    const dialOn = (shard: Shard): Promise<Connection> => {
      switch (route.via) {
        case 'target':
          return shard.dial(route.target, linkOptions, identity, control)
        case 'child':
          return dialChild(shard, route.child, linkOptions, identity, control, this.#children)
        case 'own-stdio':
          return dialOwnStdio(shard, linkOptions, identity, control, this.#ledger)
      }
    }
    const settle = (connection: Connection | undefined): void => {
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
  ): ReconnectingConnection<Connection> {
    this.#assertOpen(endpoint.text)
    const { retainBytes, maxAttempts = Infinity, maxElapsedMs = Infinity, heartbeat } = settings
    const shared = this.#breakerOf(endpoint.text, settings.breaker)
    const link = new ReconnectingConnection<Connection>({
      endpoint: endpoint.text,
      kind: endpoint.kind,
      halfClose: hasHalfClose(endpoint),
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
      clock: this.#clock,
      random: Math.random,
      breaker: shared?.breaker,
      dial: (wait) => this.connect(endpoint, options, wait, { retainBytes }),
      keepAlive: (on) => {
        this.#supervisor.keepAlive(on)
      },
      onClosed: () => {
        this.#links.delete(link)
        this.#ledger.release('links')
        if (shared !== undefined) shared.users--
      },
    })
    this.#ledger.open('links')
    this.#links.add(link)
    return link
  }

  /** @internal */
  async listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
    wait: WaitOptions,
  ): Promise<Listener> {
    this.#assertOpen(endpoint.text)
    if (wait.signal?.aborted === true) throw abortError('listening', endpoint.text, wait.signal.reason)
    const givenUp = new AbortController()
    const waiter = new Waiter<Listener>(
      `listening on ${endpoint.text}`,
      endpoint.text,
      wait,
      this.#clock,
      () => {
        givenUp.abort()
      },
    )
    const pending = this.#listen(endpoint, options, handler, givenUp.signal)
    this.#pendingListens.set(pending, (error) => {
      waiter.reject(error)
      givenUp.abort()
    })
    // Somebody waits for it, perhaps for a shard that is away.
    this.#supervisor.keepAlive(true)
    pending.then(
      (listener) => {
        if (waiter.settled) void listener.close()
        else waiter.resolve(listener)
      },
      (error: unknown) => {
        waiter.reject(error as Error)
      },
    )
    try {
      return await waiter.promise
    } catch (error) {
      // Whatever broke because the engine was being closed, that is the reason.
      this.#assertOpen(endpoint.text)
      throw error
    } finally {
      this.#supervisor.keepAlive(false)
      const forget = (): void => {
        this.#pendingListens.delete(pending)
      }
      pending.then(forget, forget)
    }
  }

  /** @internal */
  pool(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    settings: ResolvedPoolOptions,
  ): ConnectionPool {
    this.#assertOpen(endpoint.text)
    const pool = new Pool<Connection, LeasedConnection>(
      {
        ...settings,
        maxLifetimeMs: settings.maxLifetimeMs,
        leakAfterMs: settings.leakAfterMs,
        validate: settings.validate,
      },
      {
        endpoint: endpoint.text,
        clock: this.#clock,
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

  async #listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
    signal: AbortSignal,
  ): Promise<Listener> {
    const { route } = endpoint
    if (route.via !== 'target') {
      throw new TransportError(
        'ERR_INVALID_ENDPOINT',
        `${endpoint.text} is ${route.via === 'child' ? 'a child process' : "this process's own stdin and stdout"}: it cannot be listened on. Call connect().`,
        { endpoint: endpoint.text },
      )
    }
    while (this.#supervisor.leastLoaded() === undefined) await this.#supervisor.waitForShard()
    this.#assertOpen(endpoint.text)
    const id = this.#nextListenerId++
    const shards = listensOnOneShard(endpoint)
      ? this.#supervisor.shardsUp.slice(0, 1)
      : this.#supervisor.shardsUp
    const maxQueued = Math.max(LEAST_QUEUED, Math.ceil(options.maxQueuedConnections / this.#options.shards))
    this.#early.set(id, [])
    const listening = await Listening.open(
      shards,
      {
        listenerId: id,
        endpoint: endpoint.text,
        target: route.target,
        backlog: options.backlog,
        maxQueued,
        mode: options.mode,
        pathLimit: SOCKET_PATH_LIMIT,
      },
      this.#ledger,
      signal,
    ).catch((error: unknown) => {
      // Whom it had accepted was cut when it was taken down again.
      this.#early.delete(id)
      throw error
    })
    this.#ledger.open('listeners')
    if (listening.hasFile) this.#ledger.open('socketFiles')
    this.#supervisor.keepAlive(true)
    const listener = new Listener(
      endpoint.text,
      { maxConnections: options.maxConnections, resumeAt: maxQueued >> 1, clock: this.#clock },
      async () => {
        try {
          await listening.close()
        } finally {
          this.#listeners.delete(id)
          this.#supervisor.keepAlive(false)
          this.#ledger.release('listeners')
          if (listening.hasFile) this.#ledger.release('socketFiles')
          trace('listener %s: closed', endpoint.text)
        }
      },
      handler,
    )
    const open = { listener, listening, endpoint, options: this.#linkOptions(options) }
    this.#listeners.set(id, open)
    // Once the caller has the listener. Until then all news waits, so that none overtakes another.
    this.#clock.nextTurn(() => {
      const early = this.#early.get(id) ?? []
      this.#early.delete(id)
      for (const step of early) step()
    })
    trace('listener %s: open on %d shards', endpoint.text, shards.length)
    events.listenerOpened.publish({ endpoint: endpoint.text })
    if (this.#state.kind !== 'open' || signal.aborted) {
      await listener.close()
      this.#assertOpen(endpoint.text)
      return listener
    }
    if (this.#supervisor.isLost) this.#failListeners()
    // What happened to shards meanwhile: one that came back does not serve it yet, one that died does not any more.
    for (const shard of listening.shards) if (!shard.isUp) listening.forget(shard)
    this.#rejoin(
      open,
      this.#supervisor.shardsUp.filter((shard) => !listening.shards.has(shard)),
    )
    return listener
  }

  /** Puts a listener onto shards that came back. */
  #rejoin(open: OpenListener, shards: readonly Shard[]): void {
    if (listensOnOneShard(open.endpoint)) {
      const [shard] = this.#supervisor.shardsUp
      if (open.listening.shards.size > 0 || shard === undefined) return
      this.#insist(open, shard, () => open.listening.join([shard]), 0)
      return
    }
    for (const shard of shards) this.#insist(open, shard, () => open.listening.join([shard]), 0)
  }

  /** What a listener needs of a shard, tried until it succeeds or one of the two is gone: it must not end for want of it. */
  #insist(open: OpenListener, shard: Shard, step: () => Promise<void>, failures: number): void {
    step().catch((error: unknown) => {
      const { listener } = open
      if (!listener.isOpen || !shard.isUp) return
      const pause = Math.min(INSIST_LONGEST_MS, INSIST_FIRST_MS * 2 ** failures)
      trace('listener %s: shard %d does not serve it yet (%s)', listener.endpoint, shard.shard, error)
      this.#clock.setTimer(
        () => {
          if (listener.isOpen && shard.isUp) this.#insist(open, shard, step, failures + 1)
        },
        pause,
        { keepsAlive: false },
      )
    })
  }

  #failListeners(): void {
    for (const { listener, endpoint } of this.#listeners.values()) {
      listener.onFailure(
        new TransportError(
          'ERR_SHARD_LOST',
          'no worker thread is left to listen with. Create a new engine.',
          { endpoint: endpoint.text },
        ),
      )
    }
  }

  #eventsOf(shard: Shard): ShardEvents {
    const whenOpen = (listenerId: number, step: (open: OpenListener | undefined) => void): void => {
      const early = this.#early.get(listenerId)
      if (early === undefined) step(this.#listeners.get(listenerId))
      else early.push(() => step(this.#listeners.get(listenerId)))
    }
    return {
      accepted: (listenerId, acceptId) => {
        whenOpen(listenerId, (open) => this.#onAccepted(shard, open, acceptId))
      },
      paused: (listenerId) => {
        whenOpen(listenerId, (open) => this.#onPaused(shard, open))
      },
      listenerFailed: (listenerId, outcome) => {
        if (outcome.ok) return
        const error = fromWireError(outcome.error)
        whenOpen(listenerId, (open) => open?.listener.onFailure(error))
      },
    }
  }

  #onAccepted(shard: Shard, open: OpenListener | undefined, acceptId: number): void {
    const reject = (): void => {
      shard.reject(acceptId)
    }
    if (open === undefined) {
      reject()
      return
    }
    const { kind, text } = open.endpoint
    const halfClose = hasHalfClose(open.endpoint)
    const identity: LinkIdentity = { kind, endpoint: text, role: 'accepted', halfClose }
    open.listener.onAccepted({
      source: shard,
      adopt: () => shard.adopt(acceptId, open.options, identity),
      reject,
    })
  }

  #onPaused(shard: Shard, open: OpenListener | undefined): void {
    if (open === undefined) return
    const { listener, listening } = open
    const news = { endpoint: listener.endpoint, shard: shard.shard }
    trace('listener %s: shard %d has stopped accepting', listener.endpoint, shard.shard)
    events.listenerPaused.publish(news)
    listener.onPaused(shard, () => {
      // Told before it is done: the shard may be full again, and say so, before its answer is here.
      events.listenerResumed.publish(news)
      this.#insist(open, shard, () => listening.resume(shard), 0)
    })
  }

  async #dialWhenUp(
    dial: (shard: Shard) => Promise<Connection>,
    isGivenUp: () => boolean,
  ): Promise<Connection | undefined> {
    for (;;) {
      const shard = this.#supervisor.leastLoaded()
      if (shard !== undefined) return dial(shard)
      await this.#supervisor.waitForShard()
      if (isGivenUp()) return undefined
    }
  }

  #linkOptions(options: ResolvedTransportOptions, salvage?: SalvageSettings): LinkOptions {
    return {
      framing: {
        kind: options.framing,
        maxFrameBytes: options.maxFrameBytes,
        maxHeaderBytes: options.maxHeaderBytes,
        lastLine: options.lastLine,
        frameTimeoutMs: options.frameTimeoutMs,
      },
      maxFrameBytes: options.maxFrameBytes,
      maxPendingBytes: options.maxPendingBytes,
      maxRingBytes: this.#options.maxRingBytes,
      frameTimeoutMs: options.frameTimeoutMs,
      closeTimeoutMs: options.closeTimeoutMs,
      allowHalfOpen: options.allowHalfOpen,
      clock: this.#clock,
      salvage,
    }
  }

  /** One for all links of an endpoint, as the first of them wants it; while there is any, or it has something to remember. */
  #breakerOf(endpoint: string, settings: ResolvedReconnectingOptions['breaker']): SharedBreaker | undefined {
    if (settings === false) return undefined
    for (const [other, { breaker, users }] of this.#breakers) {
      if (users === 0 && breaker.isForgettable) this.#breakers.delete(other)
    }
    const shared = this.#breakers.get(endpoint) ?? {
      breaker: new Breaker(endpoint, settings, this.#clock),
      users: 0,
    }
    shared.users++
    this.#breakers.set(endpoint, shared)
    return shared
  }

  #assertOpen(endpoint: string): void {
    if (this.#state.kind === 'open') return
    throw new TransportError('ERR_ENGINE_CLOSED', 'the engine is closed. Create a new one.', { endpoint })
  }

  async #close(graceMs: number): Promise<LedgerReport> {
    trace('engine: closing')
    const error = new TransportError('ERR_ENGINE_CLOSED', 'the engine was closed while this was pending.')
    const supervisor = this.#supervisor
    const cancelCut = this.#clock.setTimer(() => {
      for (const link of this.#links) link.destroy(error)
      for (const connection of supervisor.connections) connection.destroy(error)
      this.#children.endNow()
    }, graceMs)
    // A thread that does not answer would hold up everything that waits for it.
    const cancelKill = this.#clock.setTimer(() => {
      supervisor.killAll(new Error('the worker thread did not end in time when the engine was closed'))
    }, graceMs + THREAD_GRACE_MS)
    // Before the dials that pools have under way: they are not to begin others. Leases may go on until connections are cut.
    const pools = [...this.#pools]
    for (const pool of pools) void pool.close(undefined, error)
    // Before their connections are: they must not connect again.
    const links = [...this.#links].map((link) => link.close())
    for (const giveUp of this.#pendingConnects) giveUp(error)
    for (const giveUp of this.#pendingListens.values()) giveUp(error)
    supervisor.startNoMore(error)
    this.#children.startNoMore(error)
    await Promise.allSettled(this.#pendingListens.keys())
    // Settled, not all: whatever fails on the way, the threads are stopped.
    await Promise.allSettled([...this.#listeners.values()].map(({ listener }) => listener.close()))
    await Promise.all(links)
    await Promise.all(supervisor.connections.map((connection) => connection.close()))
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
    return this.#ledger.report()
  }
}

/** Named pipes have none. */
function hasHalfClose({ route }: ResolvedEndpoint): boolean {
  return route.via !== 'target' || route.target.kind !== 'pipe'
}

/** A named pipe belongs to whoever created its first instance: one shard accepts. See docs/decisions/pipe-listening.md. */
function listensOnOneShard({ route }: ResolvedEndpoint): boolean {
  return route.via === 'target' && route.target.kind === 'pipe'
}
