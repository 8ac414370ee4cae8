/** A listener: connections that peers have opened, given to one loop, one callback, or one `accept()` at a time. */
import { events } from '../engine/common/diagnostics.js'
import { attempt, type OnError } from '../engine/common/handler-failures.js'
import { TransportError } from '../engine/protocol/errors.js'
import { checkWaitOptions } from '../engine/common/wait-options.js'
import type { Clock } from '../engine/protocol/clock.js'
import { abortError, Waiter, type WaitOptions } from '../engine/protocol/waiter.js'
import type { Connection } from '../engine/common/connection.js'
import type { LaneConnection } from '../engine/connection/lane-connection.js'
import { parseListenerCloseOptions, type ListenerCloseOptions } from './engine-options.js'

/** A connection that a shard has accepted and that nobody has taken yet. */
export interface PendingAccept {
  /** The shard that has it. */
  readonly source: object
  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY. */
  adopt(): LaneConnection
  reject(): void
}

/** A source that accepts no more for now. */
export interface PausedSource {
  /** What it has accepted and nobody has taken, of which not all need have come here yet. */
  untaken(): number
  resume(): void
}

/**
 * Called with each connection. If it throws, or the promise that it returns rejects, that connection is destroyed with
 * ERR_HANDLER, which `onError` is told or else a process warning.
 */
export type ConnectionHandler = (connection: Connection) => unknown

/** Options of `transport.listen()`. */
export interface ListenOptions extends WaitOptions {
  /** In place of the engine's: told when the callback fails, or a subscriber of one of its connections. */
  readonly onError?: OnError | undefined
}

export interface ListenerClosed {
  readonly code: 'OK' | TransportError['code']
  readonly cause?: Error | undefined
}

export interface ListenerStats {
  /** Connections handed over so far. */
  readonly accepted: number
  /** Of those, how many are open. */
  readonly open: number
  /** Accepted by a shard, and taken by nobody yet. */
  readonly queued: number
  /** Cut at once: over `maxConnections`, or more than a shard can carry. */
  readonly refused: number
}

export interface ListenerSettings {
  /** Open and queued connections past which another is cut at once. */
  readonly maxConnections: number
  /** Queued connections of one source at and below which it may go on accepting after a pause. */
  readonly resumeAt: number
  readonly clock: Clock
}

type State = { readonly kind: 'open' } | { readonly kind: 'closed'; readonly info: ListenerClosed }

/** What `transport.listen()` returns. An open listener keeps the process alive. */
export class Listener implements AsyncDisposable {
  /** The endpoint as text. */
  readonly endpoint: string
  /** Settles once, never rejects: why the listener ended. */
  readonly closed: Promise<ListenerClosed>
  readonly #settings: ListenerSettings
  readonly #release: () => Promise<void>
  readonly #handler: ConnectionHandler | undefined
  #queue: PendingAccept[] = []
  /** Adopted for somebody who did not want to wait any more. */
  #untaken: LaneConnection[] = []
  readonly #waiters = new Set<Waiter<LaneConnection | undefined>>()
  /** Sources that have stopped accepting, with what makes them go on. */
  readonly #paused = new Map<object, PausedSource>()
  #state: State = { kind: 'open' }
  #closing: Promise<ListenerClosed> | undefined
  #settleClosed!: (info: ListenerClosed) => void
  #accepted = 0
  readonly #open = new Set<LaneConnection>()
  #refused = 0

  /** @internal */
  constructor(
    endpoint: string,
    settings: ListenerSettings,
    release: () => Promise<void>,
    handler: ConnectionHandler | undefined,
  ) {
    this.endpoint = endpoint
    this.#settings = settings
    this.#release = release
    this.#handler = handler
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
  }

  /** Connections in the order in which they came. Several loops share them; leaving one does not close the listener. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined> {
    for (;;) {
      const connection = await this.accept()
      if (connection === undefined) return
      yield connection
    }
  }

  /**
   * The next connection; undefined once the listener is closed. Rejects with ERR_ABORTED or ERR_TIMEOUT when the caller
   * gives up, with ERR_CONSUMER_BUSY if the listener has a callback.
   */
  accept(options: WaitOptions = {}): Promise<Connection | undefined> {
    const wrong = checkWaitOptions(options, 'accept()') ?? this.#hasHandler()
    if (wrong !== undefined) return Promise.reject(wrong)
    if (options.signal?.aborted === true)
      return Promise.reject(abortError('accepting', this.endpoint, options.signal.reason))
    const next = this.#next()
    if (next !== undefined || this.#state.kind === 'closed') return Promise.resolve(next)
    const waiter = new Waiter<LaneConnection | undefined>(
      'accepting',
      this.endpoint,
      options,
      this.#settings.clock,
      () => {
        this.#waiters.delete(waiter)
      },
    )
    this.#waiters.add(waiter)
    return waiter.promise
  }

  stats(): ListenerStats {
    return {
      accepted: this.#accepted,
      open: this.#open.size,
      queued: this.#queue.length + this.#untaken.length,
      refused: this.#refused,
    }
  }

  /**
   * Stops accepting, refuses what nobody has taken, removes the socket file. Connections taken live on. With `graceMs`
   * it then waits so long for handlers that are at work on them: for what had come before, and for what they send
   * meanwhile. Rejects with ERR_INVALID_OPTION, and has then closed nothing.
   */
  async close(options: ListenerCloseOptions = {}): Promise<ListenerClosed> {
    const { graceMs } = parseListenerCloseOptions(options)
    const atWork = graceMs === 0 ? [] : [...this.#open].flatMap((connection) => connection.settle() ?? [])
    const closing = this.#close({ code: 'OK' })
    if (atWork.length > 0) await this.#within(graceMs, Promise.all(atWork))
    return closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  /** @internal */
  get isOpen(): boolean {
    return this.#state.kind === 'open'
  }

  /** @internal */
  onAccepted(pending: PendingAccept): void {
    if (this.#state.kind === 'closed') {
      pending.reject()
      return
    }
    if (this.#open.size + this.#queue.length >= this.#settings.maxConnections) {
      this.#refuse(pending)
      return
    }
    this.#queue.push(pending)
    if (this.#handler === undefined) {
      this.#serveWaiters()
    } else {
      const connection = this.#next()
      if (connection !== undefined) this.#hand(connection, this.#handler)
    }
  }

  /** Somebody who hears of the connection may give the wait up in this very moment: then the next in line gets it. */
  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const connection = this.#next()
      if (connection === undefined) return
      this.#waiters.delete(waiter)
      if (waiter.settled) this.#untaken.push(connection)
      else waiter.resolve(connection)
    }
  }

  /** @internal A source has stopped accepting because too much of what it accepted is queued. */
  onPaused(source: object, paused: PausedSource): void {
    if (this.#state.kind === 'closed') return
    this.#paused.set(source, paused)
    this.#resumeIfDrained(source)
  }

  /** @internal A source is dead, and with it what it had accepted. */
  onSourceLost(source: object): void {
    this.#paused.delete(source)
    this.#queue = this.#queue.filter((pending) => pending.source !== source)
  }

  /** @internal */
  onFailure(error: TransportError): void {
    // `closed` says how it ended; what went wrong while it was taken down adds nothing.
    this.#close({ code: error.code, cause: error }).catch(() => undefined)
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
        // No lane is left on that shard. The peer is told by the cut; the count says how often it happened.
        this.#refuse(pending)
        continue
      }
      this.#accepted++
      this.#open.add(connection)
      void connection.ended.then(() => {
        this.#open.delete(connection)
      })
      this.#resumeIfDrained(pending.source)
      return connection
    }
  }

  #refuse(pending: PendingAccept): void {
    pending.reject()
    this.#refused++
    events.listenerRefused.publish({ endpoint: this.endpoint })
    this.#resumeIfDrained(pending.source)
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
      (cause) => {
        connection.handlerFailed('listener', 'the listener callback', cause)
      },
    )
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    let cancel = (): void => undefined
    const over = new Promise<void>((resolve) => {
      cancel = this.#settings.clock.setTimer(resolve, ms)
    })
    await Promise.race([work, over])
    cancel()
  }

  #hasHandler(): TransportError | undefined {
    if (this.#handler === undefined) return undefined
    return new TransportError(
      'ERR_CONSUMER_BUSY',
      'this listener gives its connections to a callback: use one or the other.',
      { endpoint: this.endpoint },
    )
  }

  #close(info: ListenerClosed): Promise<ListenerClosed> {
    this.#closing ??= (async () => {
      this.#state = { kind: 'closed', info }
      for (const pending of this.#queue) pending.reject()
      this.#queue = []
      for (const connection of this.#untaken) connection.destroy()
      this.#untaken = []
      this.#paused.clear()
      for (const waiter of this.#waiters) waiter.resolve(undefined)
      this.#waiters.clear()
      try {
        await this.#release()
      } finally {
        events.listenerClosed.publish({ endpoint: this.endpoint, code: info.code, cause: info.cause })
        this.#settleClosed(info)
      }
      return info
    })()
    return this.#closing
  }
}
