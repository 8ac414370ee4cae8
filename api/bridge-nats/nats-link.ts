/**
 * A connection to NATS as bridges see it: up or down. The client keeps what is published while it is down without a
 * bound, and drops it when it dials again, so nothing is published then.
 */
import type { Msg, NatsConnection, Status, Subscription } from '@nats-io/transport-node'
import { TransportError, type TransportErrorCode } from '../../engine/protocol/errors.js'

export interface LinkEvents {
  /** All subscriptions are in place again. */
  onUp(): void
  onDown(): void
  /** The server refuses something, such as a subject that this user may not use. The link goes on. */
  onError(error: TransportError): void
  /** For good. */
  onClosed(error: TransportError): void
}

const ignore = (): void => undefined

type LinkState = 'up' | 'down' | 'closed'

export class NatsLink {
  readonly connection: NatsConnection
  #state: LinkState = 'up'
  #reconnects = 0
  readonly #listeners = new Set<LinkEvents>()

  readonly #statuses: AsyncIterable<Status>

  constructor(connection: NatsConnection) {
    this.connection = connection
    this.#statuses = connection.status()
    void this.#watch()
    void connection.closed().then((cause) => this.#onClosed(cause instanceof Error ? cause : undefined))
  }

  get state(): LinkState {
    return this.#state
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  get reconnects(): number {
    return this.#reconnects
  }

  /** Most bytes of a message. */
  get maxPayload(): number {
    return this.connection.info?.max_payload ?? 1_048_576
  }

  /** Hears nothing more of a connection that lives on. */
  release(): void {
    // Its type does not say that it can be stopped.
    ;(this.#statuses as AsyncIterable<Status> & { stop?(): void }).stop?.()
    this.#listeners.clear()
  }

  listen(events: LinkEvents): () => void {
    this.#listeners.add(events)
    return () => this.#listeners.delete(events)
  }

  /** False: the link is down, or too small for the message; nothing was published. */
  publish(subject: string, data: Uint8Array, reply?: string): boolean {
    if (!this.isUp) return false
    try {
      this.connection.publish(subject, data, reply === undefined ? {} : { reply })
      return true
    } catch (cause) {
      if (this.connection.isClosed() || this.connection.isDraining()) return false
      this.#tell((each) => each.onError(natsError('a message was refused', cause)))
      return false
    }
  }

  subscribe(subject: string, onMessage: (message: Msg) => void, queue?: string): Subscription {
    return this.connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        // A refusal comes as a status too, which is reported there.
        if (error === null) onMessage(message)
      },
    })
  }

  /** Resolves once the server has all that was published and subscribed. @throws {TransportError} ERR_IO, ERR_CLOSED */
  async flush(): Promise<void> {
    let cancel = (): void => undefined
    // The client leaves those waiting who have asked before it was closed.
    const closed = new Promise<never>((_, reject) => {
      cancel = this.listen({ onUp: ignore, onDown: ignore, onError: ignore, onClosed: reject })
    })
    const flushed = this.connection.flush().catch((cause: unknown) => {
      throw natsError('the server cannot be asked', cause)
    })
    try {
      await Promise.race([flushed, closed])
    } finally {
      cancel()
    }
  }

  /**
   * Resolves at once while it is up, else when it is.
   * @throws {TransportError} ERR_CLOSED: it was closed, or given up
   */
  whenUp(signal: AbortSignal): Promise<void> {
    return this.#when('up', signal)
  }

  /** Whichever comes first: the outcome of `work`; undefined, when the link is no longer up or the wait is aborted. */
  async whileUp<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    // Signals that are joined by AbortSignal.any() leave something behind in the one that lives on.
    const giveUp = new AbortController()
    const onAbort = (): void => giveUp.abort()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    const gone = this.#when('down', giveUp.signal).catch(() => undefined)
    try {
      return await Promise.race([work, gone.then(() => undefined)])
    } finally {
      signal.removeEventListener('abort', onAbort)
      giveUp.abort()
    }
  }

  #when(state: 'up' | 'down', signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let cancel = (): void => undefined
      const given = (settle: () => void): void => {
        cancel()
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const onAbort = (): void => given(() => reject(closedError(undefined)))
      const check = (): void => {
        if (this.#state === state) given(resolve)
        else if (this.#state === 'closed') given(() => reject(closedError(undefined)))
      }
      signal.addEventListener('abort', onAbort)
      cancel = this.listen({ onUp: check, onDown: check, onError: ignore, onClosed: check })
      if (signal.aborted) onAbort()
      else check()
    })
  }

  async #watch(): Promise<void> {
    for await (const status of this.#statuses) {
      if (status.type === 'disconnect') this.#onDown()
      else if (status.type === 'reconnect') this.#onUp()
      else if (status.type === 'error') {
        this.#tell((each) => each.onError(natsError('the server refuses something', status.error)))
      }
    }
  }

  #onDown(): void {
    if (this.#state !== 'up') return
    this.#state = 'down'
    this.#tell((each) => each.onDown())
  }

  #onUp(): void {
    if (this.#state === 'closed') return
    // The client may have come back before anybody heard that it was gone.
    this.#onDown()
    this.#state = 'up'
    this.#reconnects++
    this.#tell((each) => each.onUp())
  }

  #onClosed(cause: Error | undefined): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const error = closedError(cause)
    this.#tell((each) => each.onClosed(error))
  }

  #tell(event: (listener: LinkEvents) => void): void {
    for (const listener of [...this.#listeners]) event(listener)
  }
}

function closedError(cause: Error | undefined): TransportError {
  if (cause !== undefined && isDenial(cause)) return natsError('the connection was closed for good', cause)
  const message = 'the connection to NATS was closed. Connect with maxReconnectAttempts: -1 so that it comes back.'
  return new TransportError('ERR_CLOSED', message, { cause })
}

function isDenial({ name }: Pick<Error, 'name'>): boolean {
  return /Authorization|Permission|Authentication/.test(name)
}

/** What the client throws, in our words. */
export function natsError(what: string, cause: unknown): TransportError {
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause))
  const code: TransportErrorCode = isDenial({ name })
    ? 'ERR_ACCESS'
    : /Closed|Draining/.test(name)
      ? 'ERR_CLOSED'
      : 'ERR_IO'
  return new TransportError(code, `NATS: ${what}: ${message}`, { cause })
}
