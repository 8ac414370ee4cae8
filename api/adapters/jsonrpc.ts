/**
 * A connection as the `MessageReader` and `MessageWriter` of `vscode-jsonrpc`, so that a language client or server runs
 * over any transport unchanged. The interfaces are written out here, as far as used, so that package is not needed. The
 * framing is the connection's: `content-length` for language servers, `line` for MCP.
 */
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { attempt, isThenable } from '../../engine/common/handler-failures.js'
import { atWork, handlerFailed } from './handlers.js'
import { decodeJson, DEFAULT_DEPTH } from './json/json-text.js'
import { waitForRoom } from './sending.js'

export interface Disposable {
  dispose(): void
}

/** As in `vscode-jsonrpc`: subscribing returns what ends the subscription. */
export type Event<T> = (listener: (event: T) => unknown, thisArgs?: unknown, disposables?: Disposable[]) => Disposable

export interface JsonRpcMessage {
  readonly jsonrpc: string
}

export interface JsonRpcReader extends Disposable {
  readonly onError: Event<Error>
  readonly onClose: Event<void>
  readonly onPartialMessage: Event<{ readonly messageToken: number; readonly waitingTime: number }>
  /** A promise from the callback holds no message back; `engine.close()` awaits it; its failure ends the connection. */
  listen(callback: (message: JsonRpcMessage) => unknown): Disposable
}

export interface JsonRpcWriter extends Disposable {
  readonly onError: Event<[Error, JsonRpcMessage | undefined, number | undefined]>
  readonly onClose: Event<void>
  write(message: JsonRpcMessage): Promise<void>
  end(): void
}

export interface JsonRpcTransport {
  readonly reader: JsonRpcReader
  readonly writer: JsonRpcWriter
}

class Emitter<T> {
  readonly #connection: Adaptable
  readonly #listeners = new Set<(event: T) => unknown>()

  constructor(connection: Adaptable) {
    this.#connection = connection
  }

  readonly event: Event<T> = (listener, thisArgs, disposables) => {
    const bound = (event: T): unknown => listener.call(thisArgs, event)
    this.#listeners.add(bound)
    const disposable = { dispose: () => void this.#listeners.delete(bound) }
    disposables?.push(disposable)
    return disposable
  }

  /** Calls all of them, whatever one of them throws; that ends the connection. */
  fire(event: T): void {
    for (const listener of [...this.#listeners]) {
      attempt(
        () => listener(event),
        (cause) => handlerFailed(this.#connection, 'adapter', 'a listener of an adapter', cause),
      )
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}

class Reader implements JsonRpcReader {
  readonly #connection: Adaptable
  readonly #errors: Emitter<Error>
  readonly #closes: Emitter<void>
  readonly onError: Event<Error>
  readonly onClose: Event<void>
  /** Never fires: frames come whole. */
  readonly onPartialMessage: JsonRpcReader['onPartialMessage']
  #listening: { readonly callback: (message: JsonRpcMessage) => unknown; readonly stop: () => void } | undefined

  constructor(connection: Adaptable) {
    this.#connection = connection
    this.#errors = new Emitter(connection)
    this.#closes = new Emitter(connection)
    this.onError = this.#errors.event
    this.onClose = this.#closes.event
    this.onPartialMessage = new Emitter<{ messageToken: number; waitingTime: number }>(connection).event
    void connection.closed.then(async ({ cause }) => {
      const failure = await this.#takeRest()
      for (const error of [failure, cause]) if (error !== undefined) this.#errors.fire(error)
      this.#closes.fire()
    })
  }

  listen(callback: (message: JsonRpcMessage) => unknown): Disposable {
    const stop = this.#connection.subscribe((frame) => this.#hand(frame, callback), { borrow: true })
    const listening = { callback, stop }
    this.#listening = listening
    return {
      dispose: () => {
        stop()
        if (this.#listening === listening) this.#listening = undefined
      },
    }
  }

  dispose(): void {
    this.#listening?.stop()
    this.#listening = undefined
    this.#errors.clear()
    this.#closes.clear()
  }

  /** Hands on frames that came before the connection closed, ahead of its end. Returns how the callback failed. */
  async #takeRest(): Promise<TransportError | undefined> {
    const listening = this.#listening
    if (listening === undefined) return undefined
    listening.stop()
    while (this.#listening === listening) {
      // The reason why it ended comes with its end.
      const frame = await this.#connection.receive().catch(() => undefined)
      if (frame === undefined) return undefined
      const failure = this.#hand(frame, listening.callback)
      if (failure !== undefined) {
        const { endpoint } = this.#connection.info
        return new TransportError(
          'ERR_HANDLER',
          'the callback for messages failed after the connection had closed; those behind are dropped. See the cause.',
          { cause: failure.cause, endpoint },
        )
      }
    }
    return undefined
  }

  /** Returns what the callback throws, which ends the connection. */
  #hand(frame: Buffer, callback: (message: JsonRpcMessage) => unknown): { readonly cause: unknown } | undefined {
    let message: JsonRpcMessage
    try {
      message = decodeJson(frame, DEFAULT_DEPTH, this.#connection.info.endpoint) as JsonRpcMessage
    } catch (error) {
      // One bad message is the peer's mistake, and no reason to lose the ones that follow.
      this.#errors.fire(error as TransportError)
      return undefined
    }
    let failure: { readonly cause: unknown } | undefined
    attempt(
      () => {
        const result = callback(message)
        if (!isThenable(result)) return undefined
        const pending = Promise.resolve(result)
        atWork(this.#connection, pending)
        return pending
      },
      (cause) => {
        failure = { cause }
        handlerFailed(this.#connection, 'subscriber', 'the callback for messages', cause)
      },
    )
    return failure
  }
}

class Writer implements JsonRpcWriter {
  readonly #connection: Adaptable
  readonly #errors: Emitter<[Error, JsonRpcMessage | undefined, number | undefined]>
  readonly #closes: Emitter<void>
  readonly onError: JsonRpcWriter['onError']
  readonly onClose: Event<void>
  #failures = 0

  constructor(connection: Adaptable) {
    this.#connection = connection
    this.#errors = new Emitter(connection)
    this.#closes = new Emitter(connection)
    this.onError = this.#errors.event
    this.onClose = this.#closes.event
    void connection.closed.then(() => this.#closes.fire())
  }

  async write(message: JsonRpcMessage): Promise<void> {
    try {
      if (!this.#connection.send(this.#encode(message))) await waitForRoom(this.#connection)
      this.#failures = 0
    } catch (error) {
      this.#errors.fire([error as Error, message, ++this.#failures])
      throw error
    }
  }

  #encode(message: JsonRpcMessage): string {
    try {
      return JSON.stringify(message)
    } catch (cause) {
      throw new TransportError(
        'ERR_INVALID_FRAME',
        'this message cannot be written as JSON, because of a BigInt or a circle in it for example. See the cause.',
        { cause, endpoint: this.#connection.info.endpoint },
      )
    }
  }

  end(): void {
    // A failed end is the connection's end, which `onClose` tells.
    this.#connection.end().catch(() => undefined)
  }

  dispose(): void {
    this.#errors.clear()
    this.#closes.clear()
  }
}

/**
 * `createMessageConnection(reader, writer)` of `vscode-jsonrpc` takes them as they are. The reader is the consumer.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toJsonRpc(connection: Adaptable): JsonRpcTransport {
  assertConnection(connection, 'toJsonRpc()')
  return { reader: new Reader(connection), writer: new Writer(connection) }
}
