/** The listeners of an engine: opens them, and routes to each what shards report about it. */
import { events } from '../common/diagnostics.js'
import type { Ledger } from '../common/ledger.js'
import { trace } from '../common/trace.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ConnectionIdentity } from '../connection/lane-connection.js'
import type { Clock } from '../protocol/clock.js'
import { deserializeError, type TransportError } from '../protocol/errors.js'
import { handledSettings, type HandlerModuleSettings } from '../handling/handler-module-settings.js'
import { isOnOneShard, transportTraits, type ListenTarget } from '../protocol/target.js'
import { abortError, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { ArrivalEvents } from '../shard/accepted-connections.js'
import type { Shard } from '../shard/shard.js'
import type { Supervisor, SupervisorEvents } from '../shard/supervisor.js'
import { AcceptHandshakes, type AcceptHandshake } from './accept-handshakes.js'
import { EngineListener } from './engine-listener.js'
import { ListenerHold } from './listener-hold.js'
import { ModuleListener } from './module-listener.js'
import type { ConnectionHandler, HandlerListener, Listener } from './listener.js'
import { OpenListener, type Arrivals } from './open-listener.js'
import { ShardBindings } from './shard-bindings.js'
import type { ShardListening } from './shard-listening.js'

/** A shard with fewer untaken connections never stops accepting: they are just on their way to be taken. */
const LEAST_QUEUED = 16

export interface ListenSettings {
  readonly backlog: number
  readonly maxConnections: number
  readonly maxQueuedConnections: number
  /** Mode of the socket file. */
  readonly mode: number
}

export interface ListenRequest<Handler = ConnectionHandler | HandlerModuleSettings | undefined> {
  readonly kind: string
  readonly endpoint: string
  readonly target: ListenTarget
  readonly settings: ListenSettings
  /** What its connections are made with. */
  readonly connection: ConnectionSettings
  /** What comes before each connection, and how long it may take. Undefined: nothing. */
  readonly handshake:
    { readonly memory: 'socket' | 'shared'; readonly shake: AcceptHandshake; readonly timeoutMs: number } | undefined
  /** A function on main, a module in the shards, or neither. */
  readonly handler: Handler
}

type AnyListener = EngineListener | ModuleListener

interface NewListener {
  readonly listener: AnyListener
  readonly arrivals: Arrivals | undefined
  readonly on: (shard: Shard) => ShardListening
}

interface ListenerRegistryHost {
  readonly engine: string
  /** A function, since shards name the registry before the supervisor of all of them is there. */
  readonly supervisor: () => Supervisor
  readonly shards: number
  readonly initialRingBytes: number
  readonly ledger: Ledger
  readonly clock: Clock
  /** Another one each time, also than those of dialled connections that shards serve. */
  readonly newId: () => number
  /** Throws ERR_ENGINE_CLOSED. */
  readonly assertOpen: (endpoint: string) => void
}

export class ListenerRegistry implements SupervisorEvents {
  readonly #host: ListenerRegistryHost
  readonly #open = new Map<number, OpenListener>()
  /** Those that shards serve, also closed ones that still have connections. */
  readonly #served = new Set<ModuleListener>()
  /** What shards report of listeners that are being opened: a shard that serves one may have accepted already. */
  readonly #early = new Map<number, (() => void)[]>()
  /** Calls of `listen()` that are under way, and how each is given up. */
  readonly #pending = new Map<Promise<AnyListener>, (error: TransportError) => void>()

  constructor(host: ListenerRegistryHost) {
    this.#host = host
  }

  get size(): number {
    return this.#open.size
  }

  listen(request: ListenRequest<HandlerModuleSettings>, wait: WaitOptions): Promise<HandlerListener>
  listen(request: ListenRequest<ConnectionHandler | undefined>, wait: WaitOptions): Promise<Listener>
  async listen(request: ListenRequest, wait: WaitOptions): Promise<Listener> {
    const { endpoint } = request
    if (wait.signal?.aborted === true) throw abortError('listening', endpoint, wait.signal.reason)
    const givenUp = new AbortController()
    const waiter = new Waiter<AnyListener>(`listening on ${endpoint}`, endpoint, wait, this.#host.clock, () =>
      givenUp.abort(),
    )
    const pending = this.#listen(request, givenUp.signal)
    this.#pending.set(pending, (error) => {
      waiter.reject(error)
      givenUp.abort()
    })
    // The caller waits, perhaps for a shard that is away.
    this.#supervisor.keepAlive(true)
    pending.then(
      (listener) => {
        if (waiter.settled) void listener.close()
        else waiter.resolve(listener)
      },
      (error: unknown) => waiter.reject(error as Error),
    )
    try {
      return await waiter.promise
    } catch (error) {
      // If the engine is being closed, that is the reason, whatever broke.
      this.#host.assertOpen(endpoint)
      throw error
    } finally {
      this.#supervisor.keepAlive(false)
      const forget = (): void => void this.#pending.delete(pending)
      pending.then(forget, forget)
    }
  }

  /** Rejects each `listen()` that is under way with this error; none of them leaves a listener open. */
  giveUp(error: TransportError): void {
    for (const giveUp of this.#pending.values()) giveUp(error)
  }

  /** Resolves when no listener is left, whatever failed on the way. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#pending.keys())
    await Promise.allSettled([...this.#open.values()].map((open) => open.close()))
  }

  /** What handlers in the shards are at work on now: each settles once they are done on one shard. */
  settleServed(): readonly Promise<void>[] {
    return [...this.#served].flatMap((listener) => listener.settle())
  }

  /** Has the connections that shards serve end. Resolves once none is left. After `close()`. */
  async endServed(how: 'close' | TransportError): Promise<void> {
    await Promise.all([...this.#served].map((listener) => listener.endServed(how)))
  }

  onLost(shard: Shard): void {
    for (const open of this.#open.values()) open.onLost(shard)
    // Also of those that are closed.
    for (const listener of this.#served) listener.onSourceLost(shard)
  }

  onRestored(shard: Shard): void {
    for (const open of this.#open.values()) open.onRestored([shard])
  }

  onGivenUp(): void {
    if (this.#supervisor.isLost) this.#failAll()
  }

  readonly eventsOf = (shard: Shard): ArrivalEvents => {
    const whenOpen = (listenerId: number, step: (open: OpenListener | undefined) => void): void => {
      const early = this.#early.get(listenerId)
      if (early === undefined) step(this.#open.get(listenerId))
      else early.push(() => step(this.#open.get(listenerId)))
    }
    return {
      arrived: (listenerId, arrivals) => {
        whenOpen(listenerId, (open) => {
          for (const arrival of arrivals) {
            if (open === undefined) arrival.reject()
            else open.onArrival(shard, arrival)
          }
        })
      },
      paused: (listenerId) => whenOpen(listenerId, (open) => open?.onPaused(shard)),
      listenerFailed: (listenerId, serialized) => {
        const error = deserializeError(serialized)
        whenOpen(listenerId, (open) => open?.onFailure(error))
      },
    }
  }

  get #supervisor(): Supervisor {
    return this.#host.supervisor()
  }

  async #listen(request: ListenRequest, signal: AbortSignal): Promise<AnyListener> {
    const { endpoint, target, settings, connection } = request
    const { ledger, clock } = this.#host
    const supervisor = this.#supervisor
    while (supervisor.shardsUp.length === 0) await supervisor.waitForShard()
    this.#host.assertOpen(endpoint)
    const id = this.#host.newId()
    // See docs/decisions/pipe-listening.md.
    const onOneShard = isOnOneShard(target)
    const shards = onOneShard ? supervisor.shardsUp.slice(0, 1) : supervisor.shardsUp
    const maxQueued = Math.max(LEAST_QUEUED, Math.ceil(settings.maxQueuedConnections / this.#host.shards))
    const opened: { bindings?: ShardBindings } = {}
    const release = async (): Promise<void> => {
      arrivals?.handshakes?.giveUp()
      try {
        await opened.bindings?.close()
      } finally {
        this.#open.delete(id)
        hold.setOpen(false)
        ledger.release('listeners')
        if (opened.bindings?.hasFile === true) ledger.release('socketFiles')
        trace('listener %s: closed', endpoint)
      }
    }
    const hold = new ListenerHold((on) => supervisor.keepAlive(on))
    const { listener, arrivals, on } = this.#createListener(id, request, maxQueued, { hold, release })
    if (listener instanceof ModuleListener) {
      this.#served.add(listener)
      void listener.drained.then(() => this.#served.delete(listener))
    }
    this.#early.set(id, [])
    const { framing } = connection
    const { backlog, mode } = settings
    const bindings = await ShardBindings.open(
      shards,
      { on, listenerId: id, endpoint, target, backlog, framing, maxQueued, mode },
      ledger,
      signal,
    ).catch((error: unknown) => {
      // There will be no listener: connections accepted meanwhile are closed.
      this.#runEarly(id)
      if (listener instanceof ModuleListener) listener.neverOpened()
      throw error
    })
    opened.bindings = bindings
    ledger.open('listeners')
    if (bindings.hasFile) ledger.open('socketFiles')
    hold.setOpen(true)
    const shardsUp = (): readonly Shard[] => supervisor.shardsUp
    const open = new OpenListener({ id, listener, arrivals, bindings, isOnOneShard: onOneShard, shardsUp, clock })
    this.#open.set(id, open)
    // Once the caller has the listener. Until then all that shards report waits, to keep its order.
    clock.nextTurn(() => this.#runEarly(id))
    trace('listener %s: open on %d shards', endpoint, shards.length)
    events.listenerOpened.publish({ engine: this.#host.engine, endpoint })
    if (signal.aborted) {
      await listener.close()
      return listener
    }
    if (supervisor.isLost) this.#failAll()
    open.catchUp()
    return listener
  }

  #createListener(
    id: number,
    { kind, endpoint, target, settings, connection, handshake, handler }: ListenRequest,
    maxQueued: number,
    life: { readonly hold: ListenerHold; readonly release: () => Promise<void> },
  ): NewListener {
    const { engine, ledger, clock, shards, initialRingBytes } = this.#host
    const { maxConnections } = settings
    if (typeof handler === 'object') {
      const { failures } = connection
      const listener = new ModuleListener({
        engine,
        id,
        kind,
        endpoint,
        maxConnections,
        shards,
        module: handler,
        connection: handledSettings(connection, initialRingBytes),
        handshake: handshake && { memory: handshake.memory, timeoutMs: handshake.timeoutMs, most: maxQueued },
        failures,
        ledger,
        clock,
        ...life,
      })
      return { listener, arrivals: undefined, on: listener.on }
    }
    const { halfClose, hasDescriptor } = transportTraits[target.kind]
    const resumeAt = maxQueued >> 1
    const listener = new EngineListener({ engine, endpoint, maxConnections, resumeAt, handler, clock, ...life })
    const identity: ConnectionIdentity = { kind, endpoint, role: 'accepted', halfClose, hasDescriptor }
    const most = settings.maxQueuedConnections
    const handshakes = handshake && new AcceptHandshakes({ listener, connection, identity, ...handshake, most, clock })
    return { listener, arrivals: { listener, connection, identity, handshakes }, on: ({ accepted }) => accepted }
  }

  #runEarly(id: number): void {
    const early = this.#early.get(id) ?? []
    this.#early.delete(id)
    for (const step of early) step()
  }

  #failAll(): void {
    for (const open of this.#open.values()) open.onAllShardsLost()
  }
}
