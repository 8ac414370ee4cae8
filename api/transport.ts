import type { Connection } from '../engine/common/connection.js'
import { invalidOption, readConnectOptions, readListenOptions } from '../engine/common/call-options.js'
import { isObject } from '../engine/common/describe.js'
import type { EngineCore } from '../engine/core/engine-core.js'
import type { TransportSettings } from '../engine/core/engine-settings.js'
import type { ResolvedEndpoint } from '../engine/core/resolved-endpoint.js'
import type { AnyFunctions, HostFunctions } from '../engine/calls/remote-functions.js'
import type { ServedConnection } from '../engine/handling/served-connection.js'
import type {
  ConnectionHandler,
  HandlerListener,
  HandlerListenOptions,
  HandlerOptions,
  Listener,
  ListenOptions,
} from '../engine/listening/listener.js'
import type { WaitOptions } from '../engine/protocol/waiter.js'
import type { ReconnectingConnection } from '../engine/reconnect/reconnecting-connection.js'
import { readModuleOptions } from './handler-module-option.js'
import { createPool, type ConnectionPool } from './connection-pool.js'
import { parsePoolOptions, type PoolOptions } from './pool-options.js'
import { parseReconnectingOptions, type ReconnectingOptions } from './reconnecting-options.js'

/** An endpoint with options: what one connects to and listens on. */
export interface Transport {
  /** The endpoint as text. */
  readonly endpoint: string

  /**
   * Connects. Rejects with a TransportError: ERR_NOT_FOUND, ERR_REFUSED, ERR_ACCESS, ERR_NOT_A_SOCKET, ERR_TIMEOUT
   * (after `timeoutMs`, default the transport's connectTimeoutMs), ERR_ABORTED, ERR_SHARD_LOST, ERR_ENGINE_CLOSED; for
   * a child also ERR_PATH_TOO_LONG, where the system's temporary folder is too long for a socket in it; for `shm:`, and
   * with `memory: 'shared'`, also ERR_HANDSHAKE: the peer is no engine that does the same, or is of another version.
   * The connection keeps the process alive until it is closed or unref'd.
   */
  connect(options?: WaitOptions): Promise<Connection>

  /**
   * Connects from a shard, and has a module of the host serve the connection there, as `listen()` does. The module is
   * set up before the dial, and torn down once the connection has ended. Rejects as above, and with ERR_HANDLER_LOAD;
   * with ERR_INVALID_ENDPOINT for a child and the process's own stdin and stdout, which are attached to this thread.
   * Default of `timeoutMs`, which is for all of it: connectTimeoutMs and setupTimeoutMs together.
   */
  connect<Api extends HostFunctions<Api> = AnyFunctions>(options: HandlerOptions): Promise<ServedConnection<Api>>

  /**
   * A connection that comes back, and takes frames while there is none. It is returned at once and connects by itself:
   * `await connection.connected()`, or just use it. It keeps the process alive until it is closed or unref'd.
   * @throws {TransportError} ERR_INVALID_OPTION, ERR_ENGINE_CLOSED
   */
  reconnecting(options?: ReconnectingOptions): ReconnectingConnection

  /**
   * Listens, on every shard at once, and again on a shard that comes back; in Deno and on named pipes on one shard.
   * With a callback each connection is given to it, and `onError` is called if it fails, in place of the engine's;
   * without one, iterate over the listener. Rejects with ERR_ADDRESS_IN_USE, ERR_NOT_A_SOCKET, ERR_ACCESS,
   * ERR_NOT_FOUND (the folder), ERR_PATH_TOO_LONG, ERR_ABORTED, ERR_TIMEOUT, ERR_SHARD_LOST, ERR_ENGINE_CLOSED; for
   * `fd:` also ERR_INVALID_ENDPOINT: no such descriptor is open, and in Deno ERR_UNSUPPORTED_RUNTIME.
   */
  listen(handler?: ConnectionHandler, options?: ListenOptions): Promise<Listener>

  /**
   * Listens, and has a module of the host serve each connection inside the shard that owns its socket: work that
   * keeps a CPU busy then scales with the engine's `shards`, and main stays free. Rejects as above, and with
   * ERR_HANDLER_LOAD: the module could not be loaded, has no function as its default export, or its `setup()` failed
   * or took too long.
   */
  listen<Api extends HostFunctions<Api> = AnyFunctions>(options: HandlerListenOptions): Promise<HandlerListener<Api>>

  /**
   * A pool of connections to this endpoint; `min` of them are made at once.
   * @throws {TransportError} ERR_INVALID_OPTION, ERR_ENGINE_CLOSED
   */
  pool(options?: PoolOptions): ConnectionPool
}

export function createTransport(core: EngineCore, endpoint: ResolvedEndpoint, settings: TransportSettings): Transport {
  function connect(options?: WaitOptions): Promise<Connection>
  function connect<Api extends HostFunctions<Api>>(options: HandlerOptions): Promise<ServedConnection<Api>>
  async function connect(options: WaitOptions | HandlerOptions = {}): Promise<Connection | ServedConnection> {
    if (!namesModule(options)) return core.connect(endpoint, settings, readConnectOptions(options))
    const { module, ...call } = readModuleOptions(options, 'connect()')
    return core.connectServed(endpoint, settings, module, call)
  }
  function listen(handler?: ConnectionHandler, options?: ListenOptions): Promise<Listener>
  function listen<Api extends HostFunctions<Api>>(options: HandlerListenOptions): Promise<HandlerListener<Api>>
  async function listen(
    handler?: ConnectionHandler | HandlerListenOptions,
    options: ListenOptions = {},
  ): Promise<Listener> {
    if (handler === undefined || typeof handler === 'function')
      return core.listen(endpoint, settings, handler, readListenOptions(options))
    const given: unknown = handler
    if (!isObject(given))
      throw invalidOption('listen()', 'handler', 'it must be a function, or options that name a module')
    const { module, ...call } = readModuleOptions(given, 'listen()')
    return core.serve(endpoint, settings, module, call)
  }
  return {
    endpoint: endpoint.text,
    connect,
    reconnecting: (options = {}) => core.reconnecting(endpoint, settings, parseReconnectingOptions(options)),
    listen,
    pool: (options = {}) => {
      const poolSettings = parsePoolOptions(options)
      return createPool(core.pool(endpoint, settings, poolSettings), poolSettings)
    },
  }
}

/** Also if it turns out to be wrong. */
function namesModule(options: unknown): boolean {
  try {
    return isObject(options) && 'handler' in options
  } catch {
    // A proxy: whoever reads it says what is wrong.
    return false
  }
}
