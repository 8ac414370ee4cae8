/** The engine: shards, what runs on them, and the end of it all. */
import type { Connection, LinkIdentity } from '../engine/link/connection.js'
import type { LinkOptions } from '../engine/link/options.js'
import { findWorkerEntry } from '../engine/shard/entry-discovery.js'
import { Listening } from '../engine/shard/listening.js'
import type { Shard, ShardStats } from '../engine/shard/shard.js'
import { Supervisor, type SupervisorEvents } from '../engine/shard/supervisor.js'
import type { ShardEvents } from '../engine/shared/control.js'
import { events } from '../engine/shared/diagnostics.js'
import { fromWireError, TransportError } from '../engine/shared/errors.js'
import { Ledger, type LedgerReport } from '../engine/shared/ledger.js'
import { trace } from '../engine/shared/trace.js'
import { abortError, systemClock, Waiter, type Clock, type WaitOptions } from '../engine/shared/waiter.js'
import { resolveEndpoint, SOCKET_PATH_LIMIT, type Endpoint, type ResolvedEndpoint } from './endpoint.js'
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
import { Transport } from './transport.js'

/** A snapshot of the engine; figures of a shard's own are read from memory that it shares, without asking it. */
export interface EngineStats {
  readonly shards: readonly ShardStats[]
  readonly connections: number
  readonly listeners: number
  readonly pendingConnects: number
  readonly ledger: LedgerReport
}

/** How much longer than `graceMs` threads may take to end by themselves when the engine closes. */
const THREAD_GRACE_MS = 1_000

/** A listener, what it listens with, and what its connections get. */
interface OpenListener {
  readonly listener: Listener
  readonly listening: Listening
  readonly endpoint: ResolvedEndpoint
  readonly options: LinkOptions
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
  readonly #listeners = new Map<number, OpenListener>()
  readonly #pendingConnects = new Set<(error: TransportError) => void>()
  readonly #pendingListens = new Map<Promise<Listener>, (error: TransportError) => void>()
  #nextListenerId = 1
  #state: State = { kind: 'open' }

  /** @internal Engines are made by `createEngine()`. */
  constructor(options: ResolvedEngineOptions, clock: Clock = systemClock) {
    this.#options = options
    this.#clock = clock
    const settings = { ...options, entry: findWorkerEntry(options.workerEntry) }
    const hooks: SupervisorEvents = {
      eventsOf: (shard) => this.#eventsOf(shard),
      onLost: (shard) => {
        for (const { listener, listening } of this.#listeners.values()) {
          listening.forget(shard)
          listener.onSourceLost(shard)
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
      ledger: this.#ledger.report(),
    }
  }

  /**
   * Stops accepting, aborts pending connects, lets what was sent leave within `graceMs`, cuts the rest, ends the
   * threads. Resolves with what was opened and what was released. A second call returns the first one's promise.
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
    const identity: LinkIdentity = { kind: endpoint.kind, endpoint: endpoint.text, role: 'dialled' }
    const onStarted = (stop: () => void): void => {
      abort = stop
    }
    const dialOn = (shard: Shard): Promise<Connection> =>
      shard.dial(endpoint.target, this.#linkOptions(options), identity, { onStarted, timeoutMs })
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
  async listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
    wait: WaitOptions,
  ): Promise<Listener> {
    this.#assertOpen(endpoint.text)
    if (wait.signal?.aborted === true) throw abortError('listening', endpoint.text, wait.signal.reason)
    const waiter = new Waiter<Listener>(
      `listening on ${endpoint.text}`,
      endpoint.text,
      wait,
      this.#clock,
      () => undefined,
    )
    const pending = this.#listen(endpoint, options, handler, () => waiter.settled)
    this.#pendingListens.set(pending, (error) => {
      waiter.reject(error)
    })
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
      const forget = (): void => {
        this.#pendingListens.delete(pending)
      }
      pending.then(forget, forget)
    }
  }

  async #listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
    isGivenUp: () => boolean,
  ): Promise<Listener> {
    while (this.#supervisor.leastLoaded() === undefined) await this.#supervisor.waitForShard()
    this.#assertOpen(endpoint.text)
    const id = this.#nextListenerId++
    const shards = this.#supervisor.shardsUp
    const maxQueued = Math.max(1, Math.ceil(options.maxQueuedConnections / shards.length))
    const listening = await Listening.open(
      shards,
      {
        listenerId: id,
        endpoint: endpoint.text,
        target: endpoint.target,
        backlog: options.backlog,
        maxQueued,
        mode: options.mode,
        pathLimit: SOCKET_PATH_LIMIT,
      },
      this.#ledger,
    )
    this.#ledger.open('listeners')
    if (listening.hasFile) this.#ledger.open('socketFiles')
    this.#supervisor.keepAlive(true)
    const listener = new Listener(
      endpoint.text,
      { maxConnections: options.maxConnections, resumeAt: maxQueued >> 1, clock: this.#clock },
      async () => {
        await listening.close()
        this.#listeners.delete(id)
        this.#supervisor.keepAlive(false)
        this.#ledger.release('listeners')
        if (listening.hasFile) this.#ledger.release('socketFiles')
        trace('listener %s: closed', endpoint.text)
      },
      handler,
    )
    const open = { listener, listening, endpoint, options: this.#linkOptions(options) }
    this.#listeners.set(id, open)
    trace('listener %s: open on %d shards', endpoint.text, shards.length)
    events.listenerOpened.publish({ endpoint: endpoint.text })
    if (this.#state.kind !== 'open' || isGivenUp()) {
      await listener.close()
      this.#assertOpen(endpoint.text)
      return listener
    }
    // What happened to shards meanwhile: one that came back does not serve it yet, one that died does not any more.
    for (const shard of listening.shards) if (!shard.isUp) listening.forget(shard)
    this.#rejoin(
      open,
      this.#supervisor.shardsUp.filter((shard) => !listening.shards.has(shard)),
    )
    return listener
  }

  /** Puts a listener onto shards that came back. It fails only if no other shard serves it. */
  #rejoin({ listener, listening }: OpenListener, shards: readonly Shard[]): void {
    listening.join(shards).catch((error: unknown) => {
      trace('listener %s: not on a restored shard (%s)', listener.endpoint, error)
      const willTryAgain = shards.some((shard) => !shard.isUp)
      if (listening.shards.size === 0 && !willTryAgain) listener.onFailure(error as TransportError)
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
    return {
      accepted: (listenerId, acceptId) => {
        const open = this.#listeners.get(listenerId)
        const reject = (): void => {
          shard.reject(acceptId)
        }
        if (open === undefined) {
          reject()
          return
        }
        const { kind, text } = open.endpoint
        const identity: LinkIdentity = { kind, endpoint: text, role: 'accepted' }
        open.listener.onAccepted({
          source: shard,
          adopt: () => shard.adopt(acceptId, open.options, identity),
          reject,
        })
      },
      paused: (listenerId) => {
        const open = this.#listeners.get(listenerId)
        if (open === undefined) return
        const { listener, listening } = open
        const news = { endpoint: listener.endpoint, shard: shard.shard }
        trace('listener %s: shard %d has stopped accepting', listener.endpoint, shard.shard)
        events.listenerPaused.publish(news)
        listener.onPaused(shard, () => {
          // Told before it is done: the shard may be full again, and say so, before its answer is here.
          events.listenerResumed.publish(news)
          listening.resume(shard).catch((error: unknown) => {
            // A dead shard is rejoined when it is back.
            if (shard.isUp) listener.onFailure(error as TransportError)
          })
        })
      },
      listenerFailed: (listenerId, outcome) => {
        if (!outcome.ok) this.#listeners.get(listenerId)?.listener.onFailure(fromWireError(outcome.error))
      },
    }
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

  #linkOptions(options: ResolvedTransportOptions): LinkOptions {
    return {
      maxFrameBytes: options.maxFrameBytes,
      maxPendingBytes: options.maxPendingBytes,
      maxRingBytes: this.#options.maxRingBytes,
      frameTimeoutMs: options.frameTimeoutMs,
      closeTimeoutMs: options.closeTimeoutMs,
      allowHalfOpen: options.allowHalfOpen,
      clock: this.#clock,
    }
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
      for (const connection of supervisor.connections) connection.destroy(error)
    }, graceMs)
    // A thread that does not answer would hold up everything that waits for it.
    const cancelKill = this.#clock.setTimer(() => {
      supervisor.killAll(new Error('the worker thread did not end in time when the engine was closed'))
    }, graceMs + THREAD_GRACE_MS)
    for (const giveUp of this.#pendingConnects) giveUp(error)
    for (const giveUp of this.#pendingListens.values()) giveUp(error)
    supervisor.endWaiting(error)
    await Promise.allSettled(this.#pendingListens.keys())
    await Promise.all([...this.#listeners.values()].map(({ listener }) => listener.close()))
    await Promise.all(supervisor.connections.map((connection) => connection.close()))
    cancelCut()
    await supervisor.stop()
    cancelKill()
    return this.#ledger.report()
  }
}
