/** An engine behind its public interface: what it has opened, and how all of that ends. */
import type { Connection } from '../common/connection.js'
import { Deferred } from '../common/deferred.js'
import { events } from '../common/diagnostics.js'
import { HandlerFailures, type OnError } from '../common/handler-failures.js'
import { hopTraceFor, type HopTrace } from '../common/hop-trace.js'
import { Ledger, type LedgerReport } from '../common/ledger.js'
import { trace } from '../common/trace.js'
import { noTraffic } from '../common/traffic.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { DeliveryTracking } from '../connection/delivery-tracker.js'
import type { LaneConnection } from '../connection/lane-connection.js'
import type { HandlerModuleSettings } from '../handling/handler-module-settings.js'
import type { ServedConnection } from '../handling/served-connection.js'
import type { AcceptHandshake } from '../listening/accept-handshakes.js'
import type { ConnectionHandler, HandlerListener, Listener, ListenOptions } from '../listening/listener.js'
import { ListenerRegistry, type ListenRequest } from '../listening/listener-registry.js'
import type { PoolSettings } from '../pool/pool-settings.js'
import { sumOfPools } from '../pool/pool-stats.js'
import { Pool } from '../pool/pool.js'
import { Children } from '../process/children.js'
import { systemClock, type Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import { assertPassesDescriptors, assertServes } from '../protocol/runtime.js'
import type { WaitOptions } from '../protocol/waiter.js'
import { Breakers } from '../reconnect/breakers.js'
import type { ReconnectingConnection } from '../reconnect/reconnecting-connection.js'
import { Reconnector } from '../reconnect/reconnector.js'
import { findWorkerEntry } from '../shard/entry-discovery.js'
import { loadPiscina } from '../shard/load-piscina.js'
import type { AddressRange } from '../shard/shard-environment.js'
import { Supervisor } from '../shard/supervisor.js'
import { unmapForeign } from '../shared-memory/foreign-ranges.js'
import { findOnMain, onMain } from '../shared-memory/on-main.js'
import { SharedMemory, type SharedMemoryEnvironment } from '../shared-memory/shared-memory.js'
import { Doorbell } from '../wake/doorbell.js'
import { wakeStrategyOf } from '../wake/wake-policy.js'
import { DialAttempts } from './dial-attempts.js'
import { Dialler } from './dialler.js'
import type { ConnectionDefaults, EngineSettings, ReconnectingPolicy, TransportSettings } from './engine-settings.js'
import type { EngineStats } from './engine-stats.js'
import { HandlersAtWork } from './handlers-at-work.js'
import { OutlivingHandlers } from './outliving-handlers.js'
import { PooledConnection } from './pooled-connection.js'
import { nameOfRoute, traitsOf, type ResolvedEndpoint } from './resolved-endpoint.js'
import { ServedDialler } from './served-dialler.js'

/** The part of `graceMs` in which nothing is closed while any handler is at work: it may need the others to reply. */
const HANDLERS_SHARE = 0.75

/** How much longer than `graceMs` threads may take to end by themselves when the engine closes. */
const THREAD_GRACE_MS = 1_000

/** How long threads may take to end once nothing is left: on Windows a wait for a busy pipe takes up to 30 s. */
const HELD_THREAD_MS = 6_000

/** For tests: what makes the system calls of shared memory. */
export type FindNative = SharedMemoryEnvironment['find']

type State = { readonly kind: 'open' } | { readonly kind: 'closing'; readonly report: Promise<LedgerReport> }

let made = 0

export class EngineCore {
  /** Unique within the thread, as channels of events are. */
  readonly id = String(++made)
  /** Resolves once every shard is up. Rejects with ERR_SHARD_BOOT, and nothing is left then. */
  readonly booted: Promise<void>
  readonly #clock: Clock
  readonly #ledger = new Ledger()
  readonly #supervisor: Supervisor
  readonly #sharedMemory: SharedMemory
  readonly #children: Children
  readonly #attempts: DialAttempts
  readonly #dialler: Dialler
  readonly #servedDialler: ServedDialler
  readonly #listeners: ListenerRegistry
  readonly #pools = new Set<Pool<LaneConnection, Connection>>()
  #closedPools = sumOfPools([])
  readonly #reconnecting = new Set<Reconnector<LaneConnection>>()
  readonly #breakers: Breakers
  readonly #failures: HandlerFailures
  readonly #hops: HopTrace | undefined
  readonly #outliving = new OutlivingHandlers()
  readonly #connectionDefaults: ConnectionDefaults
  #lastServedId = 0
  #fullSends = 0
  readonly #traffic = noTraffic()
  #state: State = { kind: 'open' }

  constructor(settings: EngineSettings, clock: Clock, findNative?: FindNative) {
    this.#clock = clock
    this.#children = new Children(this.#ledger, clock)
    const entry = findWorkerEntry(settings.workerEntry)
    // Here already: a shard that cannot start would say no more than that.
    loadPiscina(entry)
    this.#breakers = new Breakers(this.id, clock)
    this.#failures = new HandlerFailures(clock, settings.onError)
    this.#hops = hopTraceFor(settings.traceHops)
    const tracesHops = this.#hops !== undefined
    this.#connectionDefaults = {
      engine: this.id,
      traffic: this.#traffic,
      hops: this.#hops,
      maxRingBytes: settings.maxRingBytes,
      clock,
      failures: this.#failures,
      onOutlived: (done) => this.#outliving.add(done),
      onFull: () => {
        this.#fullSends++
      },
    }
    const newId = (): number => ++this.#lastServedId
    this.#listeners = new ListenerRegistry({
      engine: this.id,
      supervisor: () => this.#supervisor,
      shards: settings.shards,
      initialRingBytes: settings.initialRingBytes,
      ledger: this.#ledger,
      clock,
      newId,
      assertOpen: (endpoint) => this.#assertOpen(endpoint),
    })
    const isReferenced = (): boolean => this.#supervisor.isReferenced || this.#sharedMemory.isReferenced
    const strategy = wakeStrategyOf(settings.wake)
    const doorbell = new Doorbell(strategy, isReferenced, () => systemClock.now(), this.#hops?.woken)
    const unmap = (ranges: readonly AddressRange[]): void => void unmapForeign(ranges)
    const shards = { ...settings, engine: this.id, entry, tracesHops }
    this.#supervisor = new Supervisor(shards, doorbell, this.#ledger, this.#listeners, clock, unmap)
    const { initialRingBytes, maxRingBytes } = settings
    this.#sharedMemory = new SharedMemory({
      engine: this.id,
      ledger: this.#ledger,
      doorbell,
      initialRingBytes,
      maxRingBytes,
      find: () => findOnMain(findNative),
      ...onMain,
    })
    doorbell.add(this.#sharedMemory.bell)
    this.#attempts = new DialAttempts(this.id, this.#supervisor, clock)
    this.#dialler = new Dialler(this.#attempts, this.#sharedMemory, this.#children, this.#ledger)
    this.#servedDialler = new ServedDialler(this.#attempts, this.#ledger, initialRingBytes, newId)
    this.booted = this.#supervisor.boot()
  }

  stats(): EngineStats {
    const shards = this.#supervisor.stats()
    const sharedMemory = this.#sharedMemory.stats()
    const pools = [...this.#pools].map((pool) => ({ endpoint: pool.endpoint, ...pool.stats() }))
    return {
      shards,
      spareRingMemoryBytes: this.#supervisor.spareMemoryBytes,
      connections: shards.reduce((sum, shard) => sum + shard.connections, sharedMemory.connections),
      sharedMemory,
      fullSends: this.#fullSends,
      traffic: { ...this.#traffic },
      listeners: this.#listeners.size,
      pendingConnects: this.#attempts.pending,
      pools,
      poolTotals: sumOfPools([this.#closedPools, ...pools]),
      reconnectingConnections: [...this.#reconnecting].map((connection) => connection.stats),
      breakers: this.#breakers.stats,
      ledger: this.#ledger.snapshot(),
      ...(this.#hops && { hops: this.#hops.stats() }),
    }
  }

  resetHops(): void {
    this.#hops?.reset()
  }

  /** Called more than once, it returns the first call's promise. */
  close(readGraceMs: () => number): Promise<LedgerReport> {
    if (this.#state.kind === 'open') this.#state = { kind: 'closing', report: this.#closeAndTell(readGraceMs()) }
    return this.#state.report
  }

  async connect(
    endpoint: ResolvedEndpoint,
    settings: TransportSettings,
    { signal, timeoutMs = settings.connectTimeoutMs }: WaitOptions,
    tracking?: DeliveryTracking,
  ): Promise<LaneConnection> {
    this.#assertOpen(endpoint.text)
    const connection = this.#connectionSettings(settings, tracking)
    return this.#dialler.dial(endpoint, connection, settings.memory, { signal, timeoutMs })
  }

  /** Connects, and has a handler module serve the connection inside the shard. */
  async connectServed(
    endpoint: ResolvedEndpoint,
    settings: TransportSettings,
    module: HandlerModuleSettings,
    { onError, ...others }: ListenOptions,
  ): Promise<ServedConnection> {
    this.#assertOpen(endpoint.text)
    assertServes(endpoint.text)
    if (settings.memory === 'shared') this.#sharedMemory.look()
    const connection = this.#connectionSettings(settings, undefined, onError)
    return this.#servedDialler.dial(endpoint, { settings, connection, module }, others)
  }

  async listen(
    endpoint: ResolvedEndpoint,
    settings: TransportSettings,
    handler: ConnectionHandler | undefined,
    options: ListenOptions,
  ): Promise<Listener> {
    return this.#listeners.listen(this.#listenRequest(endpoint, settings, handler, options), options)
  }

  /** Listens, and has a handler module serve the connections inside the shards. */
  async serve(
    endpoint: ResolvedEndpoint,
    settings: TransportSettings,
    module: HandlerModuleSettings,
    options: ListenOptions,
  ): Promise<HandlerListener> {
    return this.#listeners.listen(this.#listenRequest(endpoint, settings, module, options), options)
  }

  pool(
    endpoint: ResolvedEndpoint,
    transport: TransportSettings,
    settings: PoolSettings<Connection>,
  ): Pool<LaneConnection, Connection> {
    this.#assertOpen(endpoint.text)
    const pool = new Pool<LaneConnection, Connection>(settings, {
      engine: this.id,
      endpoint: endpoint.text,
      clock: this.#clock,
      failures: this.#failures,
      random: Math.random,
      dial: (wait) => this.connect(endpoint, transport, wait),
      present: (connection, gate) => new PooledConnection(connection, gate),
    })
    this.#pools.add(pool)
    this.#ledger.open('pools')
    void pool.closed.then(() => {
      this.#pools.delete(pool)
      this.#closedPools = sumOfPools([this.#closedPools, pool.stats()])
      this.#ledger.release('pools')
    })
    return pool
  }

  reconnecting(
    endpoint: ResolvedEndpoint,
    transport: TransportSettings,
    { retainBytes, breaker, ...policy }: ReconnectingPolicy,
  ): ReconnectingConnection {
    this.#assertOpen(endpoint.text)
    const { framing, maxFrameBytes, maxPendingBytes, closeTimeoutMs } = transport.connection
    const use = breaker === false ? undefined : this.#breakers.use(endpoint.text, breaker)
    const connection = new Reconnector<LaneConnection>({
      ...policy,
      engine: this.id,
      endpoint: endpoint.text,
      kind: endpoint.kind,
      halfClose: traitsOf(endpoint).halfClose,
      framing,
      maxFrameBytes,
      maxPendingBytes,
      connectTimeoutMs: transport.connectTimeoutMs,
      closeTimeoutMs,
      failures: this.#failures,
      clock: this.#clock,
      random: Math.random,
      breaker: use?.breaker,
      dial: (wait) => this.connect(endpoint, transport, wait, { retainBytes }),
      keepAlive: (on) => this.#supervisor.keepAlive(on),
      onClosed: () => {
        this.#reconnecting.delete(connection)
        this.#ledger.release('reconnectingConnections')
        use?.end()
      },
    })
    this.#ledger.open('reconnectingConnections')
    this.#reconnecting.add(connection)
    return connection
  }

  #listenRequest<Handler extends ConnectionHandler | HandlerModuleSettings | undefined>(
    { kind, text, route }: ResolvedEndpoint,
    settings: TransportSettings,
    handler: Handler,
    { onError }: ListenOptions,
  ): ListenRequest<Handler> {
    this.#assertOpen(text)
    if (route.via !== 'target') {
      throw new TransportError(
        'ERR_INVALID_ENDPOINT',
        `${text} is ${nameOfRoute(route.via)}: it cannot be listened on. Call connect().`,
        { endpoint: text },
      )
    }
    if (typeof handler === 'object') assertServes(text)
    if (route.target.kind === 'fd') assertPassesDescriptors(text)
    const { memory, connectTimeoutMs } = settings
    if (memory === 'shared' && typeof handler === 'object') this.#sharedMemory.look()
    const connection = this.#connectionSettings(settings, undefined, onError)
    const handshake =
      memory === 'none' ? undefined : { memory, shake: this.#shakeFor(memory), timeoutMs: connectTimeoutMs }
    return { kind, endpoint: text, target: route.target, settings, connection, handshake, handler }
  }

  #shakeFor(memory: 'socket' | 'shared'): AcceptHandshake {
    return (lane, settings, identity) => this.#sharedMemory.accept(lane, settings, identity, memory)
  }

  /** All that are open, whatever carries them. */
  get #connections(): readonly LaneConnection[] {
    return [...this.#supervisor.connections, ...this.#sharedMemory.connections]
  }

  #connectionSettings(
    { connection }: TransportSettings,
    tracking?: DeliveryTracking,
    onError?: OnError,
  ): ConnectionSettings {
    return { ...connection, ...this.#connectionDefaults, failures: this.#failures.with(onError), tracking }
  }

  #assertOpen(endpoint: string): void {
    if (this.#state.kind === 'open') return
    throw new TransportError('ERR_ENGINE_CLOSED', 'the engine is closed. Create a new one.', { endpoint })
  }

  async #closeAndTell(graceMs: number): Promise<LedgerReport> {
    const report = await this.#close(graceMs)
    events.engineClosed.publish({ engine: this.id, leaked: report.leaked })
    return report
  }

  async #close(graceMs: number): Promise<LedgerReport> {
    trace('engine: closing')
    const error = new TransportError('ERR_ENGINE_CLOSED', 'the engine was closed while this was pending.')
    const supervisor = this.#supervisor
    const reconnecting = this.#reconnecting
    const handlers = new HandlersAtWork(
      [...this.#connections, ...reconnecting],
      [...this.#outliving, ...this.#listeners.settleServed(), ...this.#servedDialler.settle()],
      this.#clock,
      graceMs * HANDLERS_SHARE,
    )
    const cancelCut = this.#clock.setTimer(() => {
      handlers.giveUp()
      for (const connection of reconnecting) connection.destroy(error)
      for (const connection of this.#connections) connection.destroy(error)
      void this.#listeners.endServed(error)
      void this.#servedDialler.end(error)
      this.#children.endNow()
    }, graceMs)
    // A thread that does not answer would hold up everything that waits for it.
    const cancelKill = this.#clock.setTimer(
      () => supervisor.killAll(new Error('the worker thread did not end in time when the engine was closed')),
      graceMs + THREAD_GRACE_MS,
    )
    // Before dials are given up, or pools would begin others. Leases may go on until connections are cut.
    const pools = [...this.#pools]
    for (const pool of pools) void pool.close(undefined, error)
    // Before dials are given up, or these would connect again. Over the connected ones a handler may want to reply.
    for (const connection of reconnecting) {
      if (!handlers.areAtWork || connection.state !== 'connected') void connection.close()
    }
    this.#attempts.giveUp(error)
    this.#listeners.giveUp(error)
    supervisor.startNoMore(error)
    this.#children.startNoMore(error)
    await this.#listeners.close()
    await handlers.done()
    const servedEnded = Promise.all([this.#listeners.endServed('close'), this.#servedDialler.end('close')])
    // Frames that a reconnecting connection has queued leave over its lane's connection, so those close last.
    const others = this.#connections.filter((connection) => !connection.isTracked)
    await Promise.all([handlers.closeEach(reconnecting), handlers.closeEach(others)])
    await handlers.closeEach(this.#connections)
    await servedEnded
    for (const pool of pools) pool.cut()
    await Promise.all(pools.map((pool) => pool.closed))
    // Also those whose connections have ended before.
    await this.#children.gone()
    cancelCut()
    const held = new Deferred<void>()
    const cancelHeld = this.#clock.setTimer(() => held.resolve(), HELD_THREAD_MS)
    // Handshakes that were given up may end only with their threads.
    const stopped = supervisor.stop().then(() => this.#sharedMemory.close())
    await Promise.race([stopped, held.promise])
    cancelHeld()
    cancelKill()
    this.#failures.flush()
    this.#hops?.print()
    return this.#ledger.report()
  }
}
