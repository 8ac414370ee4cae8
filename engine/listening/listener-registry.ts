/** The listeners of an engine: opens them, and routes to each what shards report about it. */
import { events } from '../common/diagnostics.js'
import type { Ledger } from '../common/ledger.js'
import { trace } from '../common/trace.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ConnectionIdentity } from '../connection/lane-connection.js'
import type { Clock } from '../protocol/clock.js'
import { deserializeError, type TransportError } from '../protocol/errors.js'
import { transportTraits, type ListenTarget } from '../protocol/target.js'
import { abortError, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { ArrivalEvents } from '../shard/accepted-connections.js'
import type { Shard } from '../shard/shard.js'
import type { Supervisor, SupervisorEvents } from '../shard/supervisor.js'
import { AcceptHandshakes, type AcceptHandshake } from './accept-handshakes.js'
import { EngineListener } from './engine-listener.js'
import type { ConnectionHandler, Listener } from './listener.js'
import { OpenListener } from './open-listener.js'
import { ShardBindings } from './shard-bindings.js'

/** A shard with fewer untaken connections never stops accepting: they are just on their way to be taken. */
const LEAST_QUEUED = 16

export interface ListenSettings {
  readonly backlog: number
  readonly maxConnections: number
  readonly maxQueuedConnections: number
  /** Mode of the socket file. */
  readonly mode: number
}

interface ListenRequest {
  readonly kind: string
  readonly endpoint: string
  readonly target: ListenTarget
  readonly settings: ListenSettings
  /** What its connections are made with. */
  readonly connection: ConnectionSettings
  /** What comes before each connection, and how long it may take. Undefined: nothing. */
  readonly handshake: { readonly shake: AcceptHandshake; readonly timeoutMs: number } | undefined
  readonly handler: ConnectionHandler | undefined
}

interface ListenerRegistryHost {
  /** A function, since shards name the registry before the supervisor of all of them is there. */
  readonly supervisor: () => Supervisor
  readonly shards: number
  readonly ledger: Ledger
  readonly clock: Clock
  /** Throws ERR_ENGINE_CLOSED. */
  readonly assertOpen: (endpoint: string) => void
}

export class ListenerRegistry implements SupervisorEvents {
  readonly #host: ListenerRegistryHost
  readonly #open = new Map<number, OpenListener>()
  /** What shards report of listeners that are being opened: a shard that serves one may have accepted already. */
  readonly #early = new Map<number, (() => void)[]>()
  /** Calls of `listen()` that are under way, and how each is given up. */
  readonly #pending = new Map<Promise<Listener>, (error: TransportError) => void>()
  #nextId = 1

  constructor(host: ListenerRegistryHost) {
    this.#host = host
  }

  get size(): number {
    return this.#open.size
  }

  async listen(request: ListenRequest, wait: WaitOptions): Promise<Listener> {
    const { endpoint } = request
    if (wait.signal?.aborted === true) throw abortError('listening', endpoint, wait.signal.reason)
    const givenUp = new AbortController()
    const waiter = new Waiter<Listener>(`listening on ${endpoint}`, endpoint, wait, this.#host.clock, () =>
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

  onLost(shard: Shard): void {
    for (const open of this.#open.values()) open.onLost(shard)
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

  async #listen(request: ListenRequest, signal: AbortSignal): Promise<Listener> {
    const { kind, endpoint, target, settings, connection, handshake, handler } = request
    const { ledger, clock } = this.#host
    const supervisor = this.#supervisor
    while (supervisor.shardsUp.length === 0) await supervisor.waitForShard()
    this.#host.assertOpen(endpoint)
    const id = this.#nextId++
    // See docs/decisions/pipe-listening.md.
    const { listeningShards, halfClose, hasDescriptor } = transportTraits[target.kind]
    const isOnOneShard = listeningShards === 'one'
    const shards = isOnOneShard ? supervisor.shardsUp.slice(0, 1) : supervisor.shardsUp
    const maxQueued = Math.max(LEAST_QUEUED, Math.ceil(settings.maxQueuedConnections / this.#host.shards))
    const { framing } = connection
    this.#early.set(id, [])
    const bindings = await ShardBindings.open(
      shards,
      { listenerId: id, endpoint, target, backlog: settings.backlog, framing, maxQueued, mode: settings.mode },
      ledger,
      signal,
    ).catch((error: unknown) => {
      // There will be no listener: connections accepted meanwhile are closed.
      this.#runEarly(id)
      throw error
    })
    ledger.open('listeners')
    if (bindings.hasFile) ledger.open('socketFiles')
    supervisor.keepAlive(true)
    const release = async (): Promise<void> => {
      handshakes?.giveUp()
      try {
        await bindings.close()
      } finally {
        this.#open.delete(id)
        supervisor.keepAlive(false)
        ledger.release('listeners')
        if (bindings.hasFile) ledger.release('socketFiles')
        trace('listener %s: closed', endpoint)
      }
    }
    const { maxConnections } = settings
    const listener = new EngineListener({ endpoint, maxConnections, resumeAt: maxQueued >> 1, handler, clock, release })
    const identity: ConnectionIdentity = { kind, endpoint, role: 'accepted', halfClose, hasDescriptor }
    const handshakes =
      handshake &&
      new AcceptHandshakes({ listener, connection, identity, ...handshake, most: settings.maxQueuedConnections, clock })
    const shardsUp = (): readonly Shard[] => supervisor.shardsUp
    const open = new OpenListener({
      id,
      listener,
      bindings,
      isOnOneShard,
      connection,
      identity,
      handshakes,
      shardsUp,
      clock,
    })
    this.#open.set(id, open)
    // Once the caller has the listener. Until then all that shards report waits, to keep its order.
    clock.nextTurn(() => this.#runEarly(id))
    trace('listener %s: open on %d shards', endpoint, shards.length)
    events.listenerOpened.publish({ endpoint })
    if (signal.aborted) {
      await listener.close()
      return listener
    }
    if (supervisor.isLost) this.#failAll()
    open.catchUp()
    return listener
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
