/** The listeners of an engine: how they open, what shards say of them, and how they outlive shards. */
import type { ConnectionIdentity } from '../engine/connection/lane-connection.js'
import type { ConnectionSettings } from '../engine/connection/connection-settings.js'
import { ShardBindings } from '../engine/listening/shard-bindings.js'
import type { Arrival, ArrivalEvents } from '../engine/shard/accepted-connections.js'
import type { Shard } from '../engine/shard/shard.js'
import type { Supervisor, SupervisorEvents } from '../engine/shard/supervisor.js'
import { nameOf } from '../engine/common/describe.js'
import { events } from '../engine/common/diagnostics.js'
import { deserializeError, TransportError } from '../engine/protocol/errors.js'
import type { OnError } from '../engine/common/handler-failures.js'
import type { Ledger } from '../engine/common/ledger.js'
import { trace } from '../engine/common/trace.js'
import type { Clock } from '../engine/protocol/clock.js'
import { abortError, Waiter } from '../engine/protocol/waiter.js'
import { SOCKET_PATH_LIMIT, type ResolvedEndpoint } from './endpoint.js'
import { Listener, type ConnectionHandler, type ListenOptions } from './listener.js'
import type { ResolvedTransportOptions } from './engine-options.js'
import { hasHalfClose, listensOnOneShard } from './pipe-traits.js'

/** The fewest untaken connections on one shard that make it stop accepting: fewer are just on their way to be taken. */
const LEAST_QUEUED = 16

/** Pauses between attempts to put a listener onto a shard, or to let it go on there. */
const INSIST_FIRST_MS = 50
const INSIST_LONGEST_MS = 5_000

/** A listener, what it listens with, and what its connections get. */
interface OpenListener {
  readonly listener: Listener
  readonly listening: ShardBindings
  readonly endpoint: ResolvedEndpoint
  readonly options: ConnectionSettings
  readonly identity: ConnectionIdentity
}

export interface ListenerRegistryHost {
  readonly supervisor: () => Supervisor
  readonly shards: number
  readonly ledger: Ledger
  readonly clock: Clock
  readonly isOpen: () => boolean
  /** Throws ERR_ENGINE_CLOSED. */
  readonly assertOpen: (endpoint: string) => void
  readonly connectionSettings: (options: ResolvedTransportOptions, onError: OnError | undefined) => ConnectionSettings
}

export class ListenerRegistry implements SupervisorEvents {
  readonly #host: ListenerRegistryHost
  readonly #shards: number
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #open = new Map<number, OpenListener>()
  /** What shards say of listeners that are not there yet: one that listens already may have accepted somebody. */
  readonly #early = new Map<number, (() => void)[]>()
  readonly #pending = new Map<Promise<Listener>, (error: TransportError) => void>()
  #nextId = 1

  constructor(host: ListenerRegistryHost) {
    this.#host = host
    this.#shards = host.shards
    this.#ledger = host.ledger
    this.#clock = host.clock
  }

  get size(): number {
    return this.#open.size
  }

  async listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
    { onError, ...patience }: ListenOptions,
  ): Promise<Listener> {
    this.#assertOpen(endpoint.text)
    if (patience.signal?.aborted === true) throw abortError('listening', endpoint.text, patience.signal.reason)
    const givenUp = new AbortController()
    const waiter = new Waiter<Listener>(`listening on ${endpoint.text}`, endpoint.text, patience, this.#clock, () => {
      givenUp.abort()
    })
    const pending = this.#listen(endpoint, options, handler, onError, givenUp.signal)
    this.#pending.set(pending, (error) => {
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
        this.#pending.delete(pending)
      }
      pending.then(forget, forget)
    }
  }

  /** Those that are being opened are given up with this error, and no other will stay open. */
  giveUp(error: TransportError): void {
    for (const giveUp of this.#pending.values()) giveUp(error)
  }

  /** Resolves when none is left, whatever failed on the way. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#pending.keys())
    await Promise.allSettled([...this.#open.values()].map(({ listener }) => listener.close()))
  }

  onLost(shard: Shard): void {
    for (const open of this.#open.values()) {
      open.listening.forget(shard)
      open.listener.onSourceLost(shard)
      // Another shard takes it over at once.
      if (listensOnOneShard(open.endpoint)) this.#rejoin(open, [])
    }
  }

  onRestored(shard: Shard): void {
    for (const open of this.#open.values()) this.#rejoin(open, [shard])
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
          for (const arrival of arrivals) this.#onArrival(shard, open, arrival)
        })
      },
      paused: (listenerId) => {
        whenOpen(listenerId, (open) => this.#onPaused(shard, listenerId, open))
      },
      listenerFailed: (listenerId, outcome) => {
        if (outcome.ok) return
        const error = deserializeError(outcome.error)
        whenOpen(listenerId, (open) => open?.listener.onFailure(error))
      },
    }
  }

  get #supervisor(): Supervisor {
    return this.#host.supervisor()
  }

  #assertOpen(endpoint: string): void {
    this.#host.assertOpen(endpoint)
  }

  async #listen(
    endpoint: ResolvedEndpoint,
    options: ResolvedTransportOptions,
    handler: ConnectionHandler | undefined,
    onError: OnError | undefined,
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
    const id = this.#nextId++
    const connectionSettings = this.#host.connectionSettings(options, onError)
    const shards = listensOnOneShard(endpoint) ? this.#supervisor.shardsUp.slice(0, 1) : this.#supervisor.shardsUp
    const maxQueued = Math.max(LEAST_QUEUED, Math.ceil(options.maxQueuedConnections / this.#shards))
    this.#early.set(id, [])
    const listening = await ShardBindings.open(
      shards,
      {
        listenerId: id,
        endpoint: endpoint.text,
        target: route.target,
        backlog: options.backlog,
        framing: connectionSettings.framing,
        maxQueued,
        mode: options.mode,
        pathLimit: SOCKET_PATH_LIMIT,
      },
      this.#ledger,
      signal,
    ).catch((error: unknown) => {
      // Nobody listens: whom shards had accepted by then is cut.
      const early = this.#early.get(id) ?? []
      this.#early.delete(id)
      for (const step of early) step()
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
          this.#open.delete(id)
          this.#supervisor.keepAlive(false)
          this.#ledger.release('listeners')
          if (listening.hasFile) this.#ledger.release('socketFiles')
          trace('listener %s: closed', endpoint.text)
        }
      },
      handler,
    )
    const { kind, text } = endpoint
    const halfClose = hasHalfClose(endpoint)
    const identity: ConnectionIdentity = { kind, endpoint: text, role: 'accepted', halfClose }
    const open = { listener, listening, endpoint, options: connectionSettings, identity }
    this.#open.set(id, open)
    // Once the caller has the listener. Until then all news waits, so that none overtakes another.
    this.#clock.nextTurn(() => {
      const early = this.#early.get(id) ?? []
      this.#early.delete(id)
      for (const step of early) step()
    })
    trace('listener %s: open on %d shards', endpoint.text, shards.length)
    events.listenerOpened.publish({ endpoint: endpoint.text })
    if (!this.#host.isOpen() || signal.aborted) {
      await listener.close()
      this.#assertOpen(endpoint.text)
      return listener
    }
    if (this.#supervisor.isLost) this.#failAll()
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
      if (shard === undefined) return
      // Looked at each time: two who came for the same reason would be in each other's way for good.
      const join = (): Promise<void> =>
        open.listening.shards.size > 0 ? Promise.resolve() : open.listening.join([shard])
      this.#insist(open, shard, join, 0)
      return
    }
    for (const shard of shards) this.#insist(open, shard, () => open.listening.join([shard]), 0)
  }

  /**
   * What a listener needs of a shard, tried until it succeeds or one of the two is gone: it must not end for want of
   * it.
   */
  #insist(open: OpenListener, shard: Shard, step: () => Promise<void>, failures: number): void {
    step().catch((error: unknown) => {
      const { listener } = open
      if (!listener.isOpen || !shard.isUp) return
      const pause = Math.min(INSIST_LONGEST_MS, INSIST_FIRST_MS * 2 ** failures)
      trace('listener %s: shard %d does not serve it yet (%s)', listener.endpoint, shard.index, nameOf(error))
      this.#clock.setTimer(
        () => {
          if (listener.isOpen && shard.isUp) this.#insist(open, shard, step, failures + 1)
        },
        pause,
        { keepsAlive: false },
      )
    })
  }

  #failAll(): void {
    for (const { listener, endpoint } of this.#open.values()) {
      listener.onFailure(
        new TransportError('ERR_SHARD_LOST', 'no worker thread is left to listen with. Create a new engine.', {
          endpoint: endpoint.text,
        }),
      )
    }
  }

  #onArrival(shard: Shard, open: OpenListener | undefined, arrival: Arrival): void {
    // News that waited for the listener may be of a shard that has died since.
    if (open === undefined || !shard.isUp) {
      arrival.reject()
      return
    }
    open.listener.onAccepted({
      source: shard,
      adopt: () => arrival.adopt(open.options, open.identity),
      reject: () => {
        arrival.reject()
      },
    })
  }

  #onPaused(shard: Shard, listenerId: number, open: OpenListener | undefined): void {
    if (open === undefined || !shard.isUp) return
    const { listener, listening } = open
    const news = { endpoint: listener.endpoint, shard: shard.index }
    trace('listener %s: shard %d has stopped accepting', listener.endpoint, shard.index)
    events.listenerPaused.publish(news)
    listener.onPaused(shard, {
      untaken: () => shard.untaken(listenerId),
      resume: () => {
        // Told before it is done: the shard may be full again, and say so, before its answer is here.
        events.listenerResumed.publish(news)
        this.#insist(open, shard, () => listening.resume(shard), 0)
      },
    })
  }
}
