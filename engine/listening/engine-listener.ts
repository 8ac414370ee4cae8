/** Connections that shards have accepted, queued until a loop, a callback or an `accept()` takes them. */
import type { Connection } from '../common/connection.js'
import { events } from '../common/diagnostics.js'
import { attempt } from '../common/handler-failures.js'
import { checkWaitOptions, graceMs, readGraceMs } from '../common/call-options.js'
import { within } from '../common/within.js'
import type { LaneConnection } from '../connection/lane-connection.js'
import type { Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import { abortedBefore, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { ConnectionHandler, Listener, ListenerClosed, ListenerCloseOptions, ListenerStats } from './listener.js'
import type { ListenerHold } from './listener-hold.js'
import { ListenerLife } from './listener-life.js'

/** A connection that was accepted and not taken yet. */
interface PendingAccept {
  /** What it is lost with: the shard that has it, or nothing but itself. */
  readonly source: object
  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY. */
  adopt(): LaneConnection
  reject(): void
}

/** A shard that accepts no more for now. */
interface PausedSource {
  /** How many connections it has accepted that were not taken; not all of them need have come here yet. */
  untaken(): number
  resume(): void
}

interface EngineListenerSettings {
  readonly engine: string
  readonly endpoint: string
  /** Open and queued connections past which another is cut at once. */
  readonly maxConnections: number
  /** A paused shard resumes when this many of its connections, or fewer, are queued. */
  readonly resumeAt: number
  readonly handler: ConnectionHandler | undefined
  readonly clock: Clock
  /** Takes the listener off its shards. */
  readonly release: () => Promise<void>
  /** Whether it keeps the process alive. */
  readonly hold: ListenerHold
}

export class EngineListener implements Listener {
  readonly endpoint: string
  readonly closed: Promise<ListenerClosed>
  readonly #settings: EngineListenerSettings
  #queue: PendingAccept[] = []
  /** Adopted for an `accept()` that was given up in the same moment. */
  #untaken: LaneConnection[] = []
  readonly #waiters = new Set<Waiter<LaneConnection | undefined>>()
  readonly #paused = new Map<object, PausedSource>()
  readonly #open = new Set<LaneConnection>()
  #accepted = 0
  #refused = 0
  readonly #life: ListenerLife

  constructor(settings: EngineListenerSettings) {
    this.endpoint = settings.endpoint
    this.#settings = settings
    this.#life = new ListenerLife({ engine: settings.engine, endpoint: settings.endpoint }, () => this.#takeDown())
    this.closed = this.#life.closed
  }

  get isOpen(): boolean {
    return this.#life.isOpen
  }

  /** Connections that could be taken. */
  get queued(): number {
    return this.#queue.length
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined> {
    for (;;) {
      const connection = await this.accept()
      if (connection === undefined) return
      yield connection
    }
  }

  accept(options: WaitOptions = {}): Promise<Connection | undefined> {
    const { endpoint } = this
    const wrong = checkWaitOptions(options, 'accept()') ?? this.#hasHandler()
    const refusal = wrong ?? abortedBefore('accepting', endpoint, options)
    if (refusal !== undefined) return Promise.reject(refusal)
    const next = this.#next()
    if (next !== undefined || !this.isOpen) return Promise.resolve(next)
    const { clock } = this.#settings
    const waiter = new Waiter<LaneConnection | undefined>('accepting', endpoint, options, clock, () =>
      this.#waiters.delete(waiter),
    )
    this.#waiters.add(waiter)
    return waiter.promise
  }

  ref(): this {
    this.#settings.hold.setWanted(true)
    return this
  }

  unref(): this {
    this.#settings.hold.setWanted(false)
    return this
  }

  stats(): ListenerStats {
    return {
      accepted: this.#accepted,
      open: this.#open.size,
      queued: this.#queue.length + this.#untaken.length,
      refused: this.#refused,
    }
  }

  async close(options: ListenerCloseOptions = {}): Promise<ListenerClosed> {
    const grace = readGraceMs(options, graceMs.listener)
    const atWork = grace === 0 ? [] : [...this.#open].flatMap((connection) => connection.settle() ?? [])
    const closing = this.#life.end({ code: 'OK' })
    if (atWork.length > 0) await within(this.#settings.clock, grace, Promise.all(atWork))
    return closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  onAccepted(pending: PendingAccept): void {
    if (!this.isOpen) {
      pending.reject()
      return
    }
    const { maxConnections, handler } = this.#settings
    if (this.#open.size + this.#queue.length >= maxConnections) {
      this.#refuse(pending)
      return
    }
    this.#queue.push(pending)
    if (handler === undefined) {
      this.#serveWaiters()
      return
    }
    const connection = this.#next()
    if (connection !== undefined) this.#hand(connection, handler)
  }

  /** A connection of this shard is on its way here, or will not come. */
  onTaken(source: object): void {
    this.#resumeIfDrained(source)
  }

  /** A connection of this shard was cut before it came here. */
  onRefused(source: object): void {
    this.#refused++
    events.listenerRefused.publish({ engine: this.#settings.engine, endpoint: this.endpoint })
    this.#resumeIfDrained(source)
  }

  /** The shard has stopped accepting because too many of its connections are queued. */
  onPaused(source: object, paused: PausedSource): void {
    if (!this.isOpen) return
    this.#paused.set(source, paused)
    this.#resumeIfDrained(source)
  }

  /** The shard has died, and with it what it had accepted. */
  onSourceLost(source: object): void {
    this.#paused.delete(source)
    this.#queue = this.#queue.filter((pending) => pending.source !== source)
  }

  onFailure(error: TransportError): void {
    // `closed` says how it ended; what fails while it is taken down adds nothing.
    this.#life.end({ code: error.code, cause: error }).catch(() => undefined)
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const connection = this.#next()
      if (connection === undefined) return
      this.#waiters.delete(waiter)
      // An observer of the new connection may have given this wait up: then the next in line gets the connection.
      if (waiter.settled) this.#untaken.push(connection)
      else waiter.resolve(connection)
    }
  }

  /** The longest-queued connection that can be carried. */
  #next(): LaneConnection | undefined {
    const untaken = this.#untaken.shift()
    if (untaken !== undefined) return untaken
    for (;;) {
      const pending = this.#queue.shift()
      if (pending === undefined) return undefined
      let connection: LaneConnection
      try {
        connection = pending.adopt()
      } catch {
        // No lane is left on that shard. The peer sees the cut; the count says how often it happened.
        this.#refuse(pending)
        continue
      }
      this.#accepted++
      this.#open.add(connection)
      void connection.ended.then(() => this.#open.delete(connection))
      this.#resumeIfDrained(pending.source)
      return connection
    }
  }

  #refuse(pending: PendingAccept): void {
    pending.reject()
    this.onRefused(pending.source)
  }

  #resumeIfDrained(source: object): void {
    const paused = this.#paused.get(source)
    if (paused === undefined || paused.untaken() > this.#settings.resumeAt) return
    this.#paused.delete(source)
    paused.resume()
  }

  #hand(connection: LaneConnection, handler: ConnectionHandler): void {
    attempt(
      () => connection.attend(handler(connection)),
      (cause) => connection.handlerFailed('listener', 'the listener callback', cause),
    )
  }

  #hasHandler(): TransportError | undefined {
    if (this.#settings.handler === undefined) return undefined
    return new TransportError(
      'ERR_CONSUMER_BUSY',
      'this listener gives its connections to a callback: use one or the other.',
      { endpoint: this.endpoint },
    )
  }

  #takeDown(): Promise<void> {
    for (const pending of this.#queue) pending.reject()
    this.#queue = []
    for (const connection of this.#untaken) connection.destroy()
    this.#untaken = []
    this.#paused.clear()
    for (const waiter of this.#waiters) waiter.resolve(undefined)
    this.#waiters.clear()
    return this.#settings.release()
  }
}
