/** The engine: shards, what runs on them, and the end of it all. */
import type { Connection, LinkIdentity } from '../engine/link/connection.js'
import type { LinkOptions } from '../engine/link/options.js'
import { Doorbell } from '../engine/shard/doorbell.js'
import { findWorkerEntry } from '../engine/shard/entry-discovery.js'
import { listenOn } from '../engine/shard/listening.js'
import { leastLoaded } from '../engine/shard/placement.js'
import { Shard, type ShardStats } from '../engine/shard/shard.js'
import { ThreadPool } from '../engine/shard/thread-pool.js'
import type { ShardEvents } from '../engine/shared/control.js'
import { fromWireError, TransportError } from '../engine/shared/errors.js'
import { Ledger, type LedgerReport } from '../engine/shared/ledger.js'
import { abortError, systemClock, Waiter, type WaitOptions } from '../engine/shared/waiter.js'
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
  readonly #pool: ThreadPool
  readonly #ledger = new Ledger()
  readonly #shards: readonly Shard[]
  readonly #listeners = new Map<number, Listener>()
  readonly #pendingConnects = new Set<(error: TransportError) => void>()
  readonly #pendingListens = new Set<Promise<Listener>>()
  #nextListenerId = 1
  #state: State = { kind: 'open' }

  /** @internal Engines are made by `createEngine()`. */
  constructor(options: ResolvedEngineOptions) {
    this.#options = options
    this.#pool = new ThreadPool(findWorkerEntry(options.workerEntry), options.shards)
    const shards: Shard[] = []
    const doorbell = new Doorbell(options.wake, () => shards.some((shard) => shard.isReferenced))
    for (let index = 0; index < options.shards; index++) {
      const shard: Shard = new Shard(
        index,
        this.#pool,
        doorbell,
        this.#ledger,
        options,
        this.#eventsOf(() => shard),
        () => undefined,
      )
      shards.push(shard)
    }
    this.#shards = shards
    this.booted = this.#boot()
  }

  /**
   * An endpoint to connect to or to listen on. Nothing is opened yet.
   * @throws {TransportError} ERR_INVALID_ENDPOINT, ERR_PATH_TOO_LONG, ERR_UNSUPPORTED_PLATFORM, ERR_INVALID_OPTION
   */
  transport(endpoint: Endpoint, options: TransportOptions = {}): Transport {
    return new Transport(this, resolveEndpoint(endpoint), parseTransportOptions(options))
  }

  stats(): EngineStats {
    const shards = this.#shards.map((shard) => shard.stats())
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
    const shard = leastLoaded(this.#shards)
    if (shard === undefined) {
      throw new TransportError(
        'ERR_SHARD_LOST',
        'no worker thread is left to carry a connection. Create a new engine.',
        {
          endpoint: endpoint.text,
        },
      )
    }
    let abort = (): void => undefined
    const timeoutMs = wait.timeoutMs ?? options.connectTimeoutMs
    const waiter = new Waiter<Connection>(
      `connecting to ${endpoint.text}`,
      endpoint.text,
      { signal: wait.signal, timeoutMs },
      systemClock,
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
    shard.dial(endpoint.target, this.#linkOptions(options), identity, { onStarted }).then(
      (connection) => {
        // Given up while the answer was on its way: nobody else will close it.
        if (waiter.settled) connection.destroy()
        else waiter.resolve(connection)
      },
      (error: unknown) => {
        waiter.reject(error as Error)
      },
    )
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
  ): Promise<Listener> {
    this.#assertOpen(endpoint.text)
    const pending = this.#listen(endpoint, options, handler)
    this.#pendingListens.add(pending)
    try {
      return await pending
    } catch (error) {
      // Whatever broke because the engine was being closed, that is the reason.
      this.#assertOpen(endpoint.text)
      throw error
    } finally {
      this.#pendingListens.delete(pending)
    }
  }

  async #listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
  ): Promise<Listener> {
    const id = this.#nextListenerId++
    const shards = this.#shards.filter((shard) => shard.isUp)
    const listening = await listenOn(shards, id, endpoint.target, {
      endpoint: endpoint.text,
      backlog: options.backlog,
      mode: options.mode,
      pathLimit: SOCKET_PATH_LIMIT,
    })
    this.#ledger.open('listeners')
    if (listening.hasFile) this.#ledger.open('socketFiles')
    for (const shard of shards) shard.keepAlive(true)
    const listener = new Listener(
      endpoint.text,
      async () => {
        await listening.close()
        this.#listeners.delete(id)
        this.#acceptOptions.delete(id)
        for (const shard of shards) shard.keepAlive(false)
        this.#ledger.release('listeners')
        if (listening.hasFile) this.#ledger.release('socketFiles')
      },
      handler,
    )
    this.#acceptOptions.set(id, { endpoint, options: this.#linkOptions(options) })
    this.#listeners.set(id, listener)
    if (this.#state.kind !== 'open') {
      await listener.close()
      this.#assertOpen(endpoint.text)
    }
    return listener
  }

  readonly #acceptOptions = new Map<
    number,
    { readonly endpoint: ResolvedEndpoint; readonly options: LinkOptions }
  >()

  #eventsOf(shardOf: () => Shard): ShardEvents {
    return {
      accepted: (listenerId, acceptId) => {
        const shard = shardOf()
        const listener = this.#listeners.get(listenerId)
        const accept = this.#acceptOptions.get(listenerId)
        if (listener === undefined || accept === undefined) {
          shard.reject(acceptId)
          return
        }
        const identity: LinkIdentity = {
          kind: accept.endpoint.kind,
          endpoint: accept.endpoint.text,
          role: 'accepted',
        }
        listener.onAccepted({
          adopt: () => shard.adopt(acceptId, accept.options, identity),
          reject: () => {
            shard.reject(acceptId)
          },
        })
      },
      listenerFailed: (listenerId, outcome) => {
        if (!outcome.ok) this.#listeners.get(listenerId)?.onFailure(fromWireError(outcome.error))
      },
    }
  }

  async #boot(): Promise<void> {
    const boots = await Promise.allSettled(this.#shards.map((shard) => shard.booted))
    const failed = boots.find((boot) => boot.status === 'rejected')
    if (failed !== undefined) {
      await this.#pool.destroy()
      for (const shard of this.#shards) shard.abandon(failed.reason)
      throw failed.reason
    }
    this.#pool.unref()
  }

  #linkOptions(options: ResolvedTransportOptions): LinkOptions {
    return {
      maxFrameBytes: options.maxFrameBytes,
      maxPendingBytes: options.maxPendingBytes,
      maxRingBytes: this.#options.maxRingBytes,
      closeTimeoutMs: options.closeTimeoutMs,
      allowHalfOpen: options.allowHalfOpen,
    }
  }

  #assertOpen(endpoint: string): void {
    if (this.#state.kind === 'open') return
    throw new TransportError('ERR_ENGINE_CLOSED', 'the engine is closed. Create a new one.', { endpoint })
  }

  async #close(graceMs: number): Promise<LedgerReport> {
    const error = new TransportError('ERR_ENGINE_CLOSED', 'the engine was closed while this was pending.')
    for (const giveUp of this.#pendingConnects) giveUp(error)
    await Promise.allSettled(this.#pendingListens)
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close()))
    const connections = this.#shards.flatMap((shard) => shard.connections)
    const cancel = systemClock.setTimer(() => {
      for (const connection of connections) connection.destroy(error)
    }, graceMs)
    await Promise.all(connections.map((connection) => connection.close()))
    cancel()
    this.#pool.ref()
    for (const shard of this.#shards) shard.stop()
    await Promise.all(this.#shards.map((shard) => shard.ended))
    await this.#pool.destroy()
    return this.#ledger.report()
  }
}
