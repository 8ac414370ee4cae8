/**
 * A connection as a transport of the Model Context Protocol, for `Client` and `Server` of `@modelcontextprotocol/sdk`.
 * Its interface is written out here, as far as used, so that package is not needed. MCP has one message a line: `line`
 * framing.
 */
import { isObject } from '../../engine/common/describe.js'
import { attempt } from '../../engine/common/handler-failures.js'
import type { TransportError } from '../../engine/protocol/errors.js'
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { handlerFailed } from './handlers.js'
import { decodeJson, DEFAULT_DEPTH, encodeJson, invalidMessage } from './json/json-text.js'
import { Incoming, sendMessage } from './messages.js'

/** A request, a notification or an answer of JSON-RPC. */
export interface McpMessage {
  readonly jsonrpc: '2.0'
}

export interface McpTransport {
  /** Reads from here on; `client.connect()` and `server.connect()` call it. Rejects with ERR_CONSUMER_BUSY. */
  start(): Promise<void>
  /** Resolves when there is room for more. Rejects as `connection.send()` throws. */
  send(message: McpMessage, options?: unknown): Promise<void>
  /** As `connection.close()`: what was sent leaves, and `onclose` is called. */
  close(): Promise<void>
  /** Called once, after the last message, however the connection has ended. */
  onclose?: (() => void) | undefined
  /**
   * Called with ERR_INVALID_MESSAGE for each frame that is no message or is more than 1,000 levels deep, and with what
   * ended the connection, if it did not end cleanly.
   */
  onerror?: ((error: Error) => void) | undefined
  onmessage?: ((message: McpMessage) => void) | undefined
  /** Never set: a connection is its own session. */
  sessionId?: string | undefined
}

class Transport implements McpTransport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: ((message: McpMessage) => void) | undefined
  sessionId?: string | undefined
  readonly #connection: Adaptable
  #incoming: Incoming | undefined
  #isWatched = false

  constructor(connection: Adaptable) {
    this.#connection = connection
  }

  // Its failure is a rejection, as of the SDK's own transports.
  // eslint-disable-next-line @typescript-eslint/require-await
  async start(): Promise<void> {
    this.#incoming = new Incoming(this.#connection, (frame) => this.#hand(frame))
    this.#watch()
  }

  async send(message: McpMessage): Promise<void> {
    const connection = this.#connection
    const isAnswer = !('method' in message)
    await sendMessage(connection, encodeJson(message, connection.info.endpoint), isAnswer)
  }

  async close(): Promise<void> {
    const closing = this.#connection.close()
    this.#watch()
    await closing
  }

  /** Not before there is somebody to tell: a connection may be over before it is started. */
  #watch(): void {
    if (this.#isWatched) return
    this.#isWatched = true
    const over = this.#incoming?.over() ?? this.#connection.closed.then(({ cause }) => cause)
    void over.then((cause) => {
      if (cause !== undefined) this.#call('onerror', () => this.onerror?.(cause))
      this.#call('onclose', () => this.onclose?.())
    })
  }

  #hand(frame: Buffer): void {
    let message: McpMessage
    try {
      message = readMessage(frame, this.#connection.info.endpoint)
    } catch (error) {
      // One bad message is the peer's mistake, and no reason to lose the ones that follow.
      this.#call('onerror', () => this.onerror?.(error as TransportError))
      return
    }
    this.#call('onmessage', () => this.onmessage?.(message))
  }

  #call(what: string, call: () => void): void {
    attempt(call, (cause) => handlerFailed(this.#connection, 'adapter', `${what} of an MCP transport`, cause))
  }
}

/** @throws {TransportError} ERR_INVALID_MESSAGE */
function readMessage(frame: Buffer, endpoint: string): McpMessage {
  const value = decodeJson(frame, DEFAULT_DEPTH, endpoint)
  if (isMessage(value)) return value
  throw invalidMessage('is no message of JSON-RPC 2.0, and was skipped', endpoint)
}

function isMessage(value: unknown): value is McpMessage {
  return isObject(value) && value['jsonrpc'] === '2.0'
}

/**
 * For `client.connect()` and `server.connect()`: one for each connection, whose one consumer it is. A server needs a
 * `Server` or `McpServer` for each connection that it accepts. An answer that finds no room, because the peer reads
 * none, ends the connection with ERR_BACKPRESSURE, so that its requests fail in place of waiting.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toMcpTransport(connection: Adaptable): McpTransport {
  assertConnection(connection, 'toMcpTransport()')
  return new Transport(connection)
}
