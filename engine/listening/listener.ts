/** What a host sees of a listener. */
import type { AnyFunctions, RemoteFunctions } from '../calls/remote-functions.js'
import type { Connection } from '../common/connection.js'
import type { OnError } from '../common/handler-failures.js'
import type { OnHandlerLog } from '../common/handler-log.js'
import type { TransportErrorCode } from '../protocol/errors.js'
import type { WaitOptions } from '../protocol/waiter.js'

/**
 * Called with each connection. If it throws, or the promise that it returns rejects, that connection is destroyed with
 * ERR_HANDLER, which is reported to `onError` or else by a process warning.
 */
export type ConnectionHandler = (connection: Connection) => unknown

/** Options of `transport.listen()`. */
export interface ListenOptions extends WaitOptions {
  /** In place of the engine's: called when the callback fails, or a subscriber of one of its connections. */
  readonly onError?: OnError | undefined
}

/**
 * Options of `listen()` and `connect()` with a handler module: a module of the host that serves inside the shards.
 * Where shared memory is asked for, the shard shares it; on macOS frames go over the socket then.
 */
export interface HandlerOptions extends ListenOptions {
  /**
   * The module: a file or data URL, or an absolute path. `new URL('./serve.js', import.meta.url)` names the one
   * beside the file that says so. Its default export is a `ShardHandler`; it may export `setup(context)` and
   * `teardown(context)`.
   */
  readonly handler: URL | string
  /** `context.data`: anything that the structured clone algorithm takes. Every shard gets a copy of its own. */
  readonly data?: unknown
  /** How long loading the module and its `setup()` may take on a shard, in milliseconds. Default 10,000. */
  readonly setupTimeoutMs?: number | undefined
  /** How long its `teardown()` may take, in milliseconds. Default 5,000. */
  readonly teardownTimeoutMs?: number | undefined
  /** Functions that the module can call, as `context.host`. Only those that the object has when this is called. */
  readonly host?: object | undefined
  /** Called with what the module logs, in place of the diagnostics channel. */
  readonly onLog?: OnHandlerLog | undefined
}

/** Options of `transport.listen()` with a handler module. */
export type HandlerListenOptions = HandlerOptions

/** A listener whose connections a handler module serves inside the shards: it has none to give. */
export interface HandlerListener<Api = AnyFunctions> extends Listener {
  /** The shards on which the module serves now, in order: those that are up, until it was torn down on them. */
  readonly handlers: readonly HandlerOnShard<Api>[]
}

/** A handler module on one shard. */
export interface HandlerOnShard<Api = AnyFunctions> {
  readonly shard: number
  /** Which life of the shard, counted from 1. */
  readonly generation: number
  /**
   * What the module's `api(context)` has returned: a call runs there. It rejects with what the function throws, with
   * ERR_SHARD_LOST, with ERR_CLOSED once the module was torn down, and with ERR_BACKPRESSURE while 1,024 are pending.
   */
  readonly api: RemoteFunctions<Api>
}

/** Options of `listener.close()`. */
export interface ListenerCloseOptions {
  /** How long to wait for handlers that are at work on its connections, in milliseconds. Default 0: not at all. */
  readonly graceMs?: number | undefined
}

export interface ListenerClosed {
  /** 'OK' after `close()`, otherwise the code of what ended the listener. */
  readonly code: 'OK' | TransportErrorCode
  readonly cause?: Error | undefined
}

export interface ListenerStats {
  /** Connections handed over so far. */
  readonly accepted: number
  /** Of those, how many are open. */
  readonly open: number
  /** Accepted by a shard and not taken yet. Those whose handshake is not over are not counted. */
  readonly queued: number
  /** Cut at once: over `maxConnections`, more than a shard can carry, or after a handshake that failed. */
  readonly refused: number
}

/** What `transport.listen()` returns. An open listener keeps the process alive, unless it is unref'd. */
export interface Listener extends AsyncDisposable {
  /** The endpoint as text. */
  readonly endpoint: string
  /** Settles once, never rejects: why the listener ended. */
  readonly closed: Promise<ListenerClosed>

  /** Connections in the order in which they came. Several loops share them; leaving one does not close the listener. */
  [Symbol.asyncIterator](): AsyncGenerator<Connection, void, undefined>

  /**
   * The next connection; undefined once the listener is closed. Rejects with ERR_ABORTED or ERR_TIMEOUT when the caller
   * gives up, with ERR_CONSUMER_BUSY if the listener has a callback.
   */
  accept(options?: WaitOptions): Promise<Connection | undefined>

  /** A snapshot, synchronous and cheap. */
  stats(): ListenerStats

  /**
   * Stops accepting, refuses connections that were not taken, removes the socket file. Connections taken live on. With
   * `graceMs` it then waits for handlers that are at work on them: on what had come before, and on what they send
   * meanwhile. Rejects with ERR_INVALID_OPTION, and has then closed nothing.
   */
  close(options?: ListenerCloseOptions): Promise<ListenerClosed>

  /** While it is open it keeps the process alive. This is the default. */
  ref(): this

  /** The process may end although it is open. What it accepts still keeps the process alive. */
  unref(): this
}
