/**
 * A connection as the `MessageReader` and `MessageWriter` of `vscode-jsonrpc`, so that a language client or server runs over
 * any transport unchanged. The interfaces are written out here, as far as they are used: that package is not needed to build
 * or to run this one. The framing is the connection's: `content-length` for language servers, `line` for MCP.
 */
import type { Adaptable } from './adaptable.js'
import { TransportError } from '../../engine/shared/errors.js'
import { room } from './room.js'

export interface Disposable {
  dispose(): void
}

/** As in `vscode-jsonrpc`: subscribing returns what ends the subscription. */
export type Event<T> = (
  listener: (event: T) => unknown,
  thisArgs?: unknown,
  disposables?: Disposable[],
) => Disposable

export interface JsonRpcMessage {
  readonly jsonrpc: string
}

export interface JsonRpcReader extends Disposable {
  readonly onError: Event<Error>
  readonly onClose: Event<void>
  readonly onPartialMessage: Event<{ readonly messageToken: number; readonly waitingTime: number }>
  listen(callback: (message: JsonRpcMessage) => void): Disposable
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
  readonly #listeners = new Set<(event: T) => unknown>()

  readonly event: Event<T> = (listener, thisArgs, disposables) => {
    const bound = (event: T): unknown => listener.call(thisArgs, event)
    this.#listeners.add(bound)
    const disposable = { dispose: () => void this.#listeners.delete(bound) }
    disposables?.push(disposable)
    return disposable
  }

  /** All of them are told, whatever one of them throws; that is thrown then. */
  fire(event: T): void {
    let failure: { readonly error: unknown } | undefined
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure !== undefined) throw failure.error
  }

  clear(): void {
    this.#listeners.clear()
  }
}

class Reader implements JsonRpcReader {
  readonly #connection: Adaptable
  readonly #errors = new Emitter<Error>()
  readonly #closes = new Emitter<void>()
  readonly #partials = new Emitter<{ readonly messageToken: number; readonly waitingTime: number }>()
  readonly onError = this.#errors.event
  readonly onClose = this.#closes.event
  /** Never fires: frames come whole. */
  readonly onPartialMessage = this.#partials.event
  #listening: { readonly callback: (message: JsonRpcMessage) => void; readonly stop: () => void } | undefined

  constructor(connection: Adaptable) {
    this.#connection = connection
    void connection.closed.then(async ({ cause }) => {
      const failure = await this.#takeRest()
      try {
        for (const error of [failure, cause]) if (error !== undefined) this.#errors.fire(error)
      } finally {
        this.#closes.fire()
      }
    })
  }

  listen(callback: (message: JsonRpcMessage) => void): Disposable {
    const stop = this.#connection.subscribe(
      (frame) => {
        this.#hand(frame, callback)
      },
      { borrow: true },
    )
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

  /**
   * Frames that were received and not handed on yet when the connection closed: who is told of the end expects no more.
   * Returns why the callback could not take them, as a connection that is open would have been destroyed for.
   */
  async #takeRest(): Promise<TransportError | undefined> {
    const listening = this.#listening
    if (listening === undefined) return undefined
    listening.stop()
    while (this.#listening === listening) {
      // The reason why it ended comes with its end.
      const frame = await this.#connection.receive().catch(() => undefined)
      if (frame === undefined) return undefined
      try {
        this.#hand(frame, listening.callback)
      } catch (cause) {
        const { endpoint } = this.#connection.info
        return new TransportError(
          'ERR_HANDLER',
          'the callback for messages failed after the connection had closed; those behind are dropped. See the cause.',
          { cause, endpoint },
        )
      }
    }
    return undefined
  }

  #hand(frame: Buffer, callback: (message: JsonRpcMessage) => void): void {
    let message: JsonRpcMessage
    try {
      message = JSON.parse(frame.toString('utf8')) as JsonRpcMessage
    } catch (error) {
      // One bad message is the peer's mistake, and no reason to lose the ones that follow.
      this.#errors.fire(error as Error)
      return
    }
    callback(message)
  }
}

class Writer implements JsonRpcWriter {
  readonly #connection: Adaptable
  readonly #errors = new Emitter<[Error, JsonRpcMessage | undefined, number | undefined]>()
  readonly #closes = new Emitter<void>()
  readonly onError = this.#errors.event
  readonly onClose = this.#closes.event
  #failures = 0

  constructor(connection: Adaptable) {
    this.#connection = connection
    void connection.closed.then(() => {
      this.#closes.fire()
    })
  }

  async write(message: JsonRpcMessage): Promise<void> {
    try {
      if (!this.#connection.send(JSON.stringify(message))) await room(this.#connection)
      this.#failures = 0
    } catch (error) {
      this.#errors.fire([error as Error, message, ++this.#failures])
      throw error
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

/** `createMessageConnection(reader, writer)` of `vscode-jsonrpc` takes them as they are. The reader is the one consumer. */
export function toJsonRpc(connection: Adaptable): JsonRpcTransport {
  return { reader: new Reader(connection), writer: new Writer(connection) }
}
