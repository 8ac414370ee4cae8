/** An endpoint with options: what one connects to and listens on. */
import type { Connection } from '../engine/common/connection.js'
import type { ReconnectingConnection } from '../engine/reconnect/reconnecting-connection.js'
import { invalidOption, readConnectOptions, readListenOptions } from '../engine/common/wait-options.js'
import type { WaitOptions } from '../engine/protocol/waiter.js'
import type { ResolvedEndpoint } from './endpoint.js'
import type { Engine } from './engine.js'
import type { ConnectionHandler, Listener, ListenOptions } from './listener.js'
import type { ResolvedTransportOptions } from './engine-options.js'
import type { ConnectionPool } from './connection-pool.js'
import { parsePoolOptions, type PoolOptions } from './pool-options.js'
import { parseReconnectingOptions, type ReconnectingOptions } from './reconnecting-options.js'

export class Transport {
  readonly #engine: Engine
  readonly #endpoint: ResolvedEndpoint
  readonly #options: ResolvedTransportOptions

  /** @internal Transports are made by `engine.transport()`. */
  constructor(engine: Engine, endpoint: ResolvedEndpoint, options: ResolvedTransportOptions) {
    this.#engine = engine
    this.#endpoint = endpoint
    this.#options = options
  }

  /** The endpoint as text. */
  get endpoint(): string {
    return this.#endpoint.text
  }

  /**
   * Connects. Rejects with a TransportError: ERR_NOT_FOUND, ERR_REFUSED, ERR_ACCESS, ERR_NOT_A_SOCKET, ERR_TIMEOUT
   * (after `timeoutMs`, default the transport's connectTimeoutMs), ERR_ABORTED, ERR_SHARD_LOST, ERR_ENGINE_CLOSED; for
   * a child ERR_PATH_TOO_LONG, too, where the system's temporary folder is too long for a socket in it. The connection
   * keeps the process alive until it is closed or unref'd.
   */
  async connect(options: WaitOptions = {}): Promise<Connection> {
    return this.#engine.connect(this.#endpoint, this.#options, readConnectOptions(options))
  }

  /**
   * A connection that comes back, and takes frames while there is none. It is returned at once and connects by itself:
   * `await link.connected()`, or just use it. It keeps the process alive until it is closed or unref'd.
   * @throws {TransportError} ERR_INVALID_OPTION, ERR_ENGINE_CLOSED
   */
  reconnecting(options: ReconnectingOptions = {}): ReconnectingConnection {
    return this.#engine.reconnecting(this.#endpoint, this.#options, parseReconnectingOptions(options))
  }

  /**
   * Listens, on every shard at once, and again on a shard that comes back. With a callback each connection is given to
   * it, and `onError` is told if it fails, in place of the engine's; without one, iterate over the listener. Rejects
   * with ERR_ADDRESS_IN_USE, ERR_NOT_A_SOCKET, ERR_ACCESS, ERR_NOT_FOUND (the folder), ERR_PATH_TOO_LONG, ERR_ABORTED,
   * ERR_TIMEOUT, ERR_SHARD_LOST, ERR_ENGINE_CLOSED.
   */
  async listen(handler?: ConnectionHandler, options: ListenOptions = {}): Promise<Listener> {
    const given: unknown = handler
    if (given !== undefined && typeof given !== 'function')
      throw invalidOption('listen()', 'handler', 'it must be a function')
    return this.#engine.listen(this.#endpoint, this.#options, handler, readListenOptions(options))
  }

  /**
   * A pool of connections to this endpoint; `min` of them are made at once.
   * @throws {TransportError} ERR_INVALID_OPTION, ERR_ENGINE_CLOSED
   */
  pool(options: PoolOptions = {}): ConnectionPool {
    return this.#engine.pool(this.#endpoint, this.#options, parsePoolOptions(options))
  }
}
