/** What a host sees of a connection that a handler module serves inside a shard. */
import type { AnyFunctions, RemoteFunctions } from '../calls/remote-functions.js'
import type { ClosedInfo } from '../common/connection.js'

export interface ServedConnectionInfo {
  /** Unique within the process; `connection.info.id` in the module. */
  readonly id: string
  readonly kind: string
  readonly endpoint: string
  readonly shard: number
  /** Which life of the shard, counted from 1. */
  readonly generation: number
}

/** Options of `close()`. */
export interface ServedCloseOptions {
  /** How long to wait for the module while it is at work on what has come, in milliseconds. Default 0: not at all. */
  readonly graceMs?: number | undefined
}

/**
 * A connection that was dialled, and that a handler module serves in the shard that has its socket: this thread sees no
 * frame of it. It keeps the process alive while it is open, and until its module was torn down.
 */
export interface ServedConnection<Api = AnyFunctions> extends AsyncDisposable {
  readonly info: ServedConnectionInfo
  /** Settles once, never rejects: how the connection ended. ERR_SHARD_LOST: its worker thread has died. */
  readonly closed: Promise<ClosedInfo>
  /**
   * What the module's `api(context)` has returned: a call runs there. It rejects with what the function throws, with
   * ERR_SHARD_LOST, with ERR_CLOSED once the module was torn down, and with ERR_BACKPRESSURE while 1,024 are pending.
   */
  readonly api: RemoteFunctions<Api>

  /**
   * Ends gracefully. `context.signal` aborts, and the module goes on for up to `graceMs` with what has come. Then
   * everything that it has sent leaves and the peer's end is awaited, both bounded by `closeTimeoutMs`. Resolves as
   * `closed` does. Rejects with ERR_INVALID_OPTION, and has then closed nothing.
   */
  close(options?: ServedCloseOptions): Promise<ClosedInfo>

  /** Ends at once, as `connection.destroy()` does. It never throws. */
  destroy(reason?: Error): void
}
