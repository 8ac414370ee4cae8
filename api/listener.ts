/** A listener: connections that peers have opened, given to one loop or one callback. */
import { TransportError } from '../engine/shared/errors.js'
import type { Connection } from '../engine/link/connection.js'

/** A connection that a shard has accepted and that nobody has taken yet. */
export interface PendingAccept {
  adopt(): Connection
  reject(): void
}

/** Called with each connection. If it throws, or the promise that it returns rejects, that connection is destroyed. */
export type ConnectionHandler = (connection: Connection) => unknown

export interface ListenerClosed {
  readonly code: 'OK' | TransportError['code']
  readonly cause?: Error | undefined
}

type State = { readonly kind: 'open' } | { readonly kind: 'closed'; readonly info: ListenerClosed }

/** What `transport.listen()` returns. An open listener keeps the process alive. */
export class Listener implements AsyncDisposable {
  /** The endpoint as text. */
  readonly endpoint: string
  /** Settles once, never rejects: why the listener ended. */
  readonly closed: Promise<ListenerClosed>
  readonly #release: () => Promise<void>
  readonly #handler: ConnectionHandler | undefined
  #queue: PendingAccept[] = []
  #waiters: (() => void)[] = []
  #state: State = { kind: 'open' }
  #closing: Promise<ListenerClosed> | undefined
  #settleClosed!: (info: ListenerClosed) => void

  /** @internal */
  constructor(endpoint: string, release: () => Promise<void>, handler: ConnectionHandler | undefined) {
    this.endpoint = endpoint
    this.#release = release
    this.#handler = handler
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
  }

  /** Connections in the order in which they came. Several loops share them; leaving one does not close the listener. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined> {
    if (this.#handler !== undefined) {
      throw new TransportError(
        'ERR_CONSUMER_BUSY',
        'this listener gives its connections to a callback: use one or the other.',
        {
          endpoint: this.endpoint,
        },
      )
    }
    for (;;) {
      const next = this.#queue.shift()
      if (next !== undefined) yield next.adopt()
      else if (this.#state.kind === 'closed') return
      else await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  /** Stops accepting, refuses what nobody has taken, removes the socket file. Connections taken live on. */
  close(): Promise<ListenerClosed> {
    return this.#close({ code: 'OK' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  /** @internal */
  onAccepted(pending: PendingAccept): void {
    if (this.#state.kind === 'closed') {
      pending.reject()
      return
    }
    if (this.#handler === undefined) {
      this.#queue.push(pending)
      this.#waiters.shift()?.()
      return
    }
    const connection = pending.adopt()
    const fail = (cause: unknown): void => {
      connection.destroy(
        new TransportError(
          'ERR_HANDLER',
          'the listener callback failed, so its connection was destroyed. See the cause.',
          { cause, endpoint: this.endpoint },
        ),
      )
    }
    const handler = this.#handler
    try {
      Promise.resolve(handler(connection)).catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  /** @internal */
  onFailure(error: TransportError): void {
    void this.#close({ code: error.code, cause: error })
  }

  #close(info: ListenerClosed): Promise<ListenerClosed> {
    this.#closing ??= (async () => {
      this.#state = { kind: 'closed', info }
      for (const pending of this.#queue) pending.reject()
      this.#queue = []
      for (const wake of this.#waiters) wake()
      this.#waiters = []
      await this.#release()
      this.#settleClosed(info)
      return info
    })()
    return this.#closing
  }
}
