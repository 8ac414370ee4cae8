/** What a handler module is: a module of the host that serves connections inside the shards that own their sockets. */
import type { AnyFunctions, RemoteFunctions } from '../calls/remote-functions.js'
import type { Connection } from './connection.js'
import type { HandlerLogLevel } from '../protocol/handling.js'

/** Tells main, which passes it on: to `onLog`, or to the diagnostics channel `symphony-transport:handler.log`. */
export type HandlerLog = Readonly<Record<HandlerLogLevel, (message: string, details?: unknown) => void>>

/** What a handler module gets besides each connection. One for each listener on each shard, and for each dial. */
export interface HandlerContext<Data = unknown, State = unknown, Host = AnyFunctions> {
  /** A copy of the `data` that was given to `listen()` or `connect()`, by the structured clone algorithm. */
  readonly data: Data
  /** What the module's `setup()` has returned, awaited; undefined: there is none, or it is still running. */
  readonly state: State
  readonly endpoint: string
  readonly shard: number
  /** Which life of the shard this is, counted from 1: one that was lost comes back, and loads the module again. */
  readonly generation: number
  /** Aborts when the listener or the engine begins to close; of a dialled connection also when it ends. */
  readonly signal: AbortSignal
  readonly log: HandlerLog
  /**
   * The functions that were given to `listen()` or `connect()` as `host`: they run on main. A call rejects with what
   * the function throws, with ERR_CLOSED once the module was torn down, and with ERR_BACKPRESSURE while 1,024 are
   * pending. Handle that: a rejection that nobody handles ends the shard, as it would end a process.
   */
  readonly host: RemoteFunctions<Host>
}

/**
 * The default export of a handler module: called with each connection, on the thread that owns its socket. If it
 * throws, or the promise that it returns rejects, that connection is destroyed with ERR_HANDLER.
 */
export type ShardHandler<Data = unknown, State = unknown, Host = AnyFunctions> = (
  connection: Connection,
  context: HandlerContext<Data, State, Host>,
) => unknown

/** A handler module, as its exports are looked at. */
export interface HandlerModule {
  readonly serve: ShardHandler
  /** Awaited before the listener's first connection, or the dial. What it returns is `context.state`. */
  readonly setup: ((context: HandlerContext) => unknown) | undefined
  /** Called after `setup()`: what it returns main can call, as `listener.handlers[i].api` or `connection.api`. */
  readonly api: ((context: HandlerContext) => unknown) | undefined
  /** Awaited once the listener is closed and its last connection on the shard has ended, or the dialled one has. */
  readonly teardown: ((context: HandlerContext) => unknown) | undefined
}
