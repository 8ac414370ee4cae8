/** What a host sees of a connection that comes back. */
import type { Connection } from '../common/connection.js'
import type { WaitOptions } from '../protocol/waiter.js'

/**
 * `connecting`: an attempt is under way, `onConnected` included. `waiting`: for the next attempt. `closing`: `close()`
 * or `destroy()` was called. `closed`: nothing follows.
 */
export type ReconnectingState = 'connecting' | 'connected' | 'waiting' | 'closing' | 'closed'

/** A reconnecting connection as `engine.stats()` shows it. */
export interface ReconnectingStats {
  readonly id: string
  readonly endpoint: string
  readonly state: ReconnectingState
  /** Since it was last stable. */
  readonly attempts: number
  /** Connections lost since it was made. */
  readonly losses: number
}

/**
 * A connection that comes back. Frames are taken while there is none, and `onLoss` gets a report of what became of each
 * frame across a loss. It ends by `close()`, `end()` or `destroy()`, when its limits are reached (ERR_GAVE_UP), or with
 * an error that no retry can mend; `closed` says 'OK' only if its user ended it. Reading goes on across losses.
 */
export interface ReconnectingConnection extends Connection {
  readonly state: ReconnectingState
  /** Attempts to connect since it was last stable. */
  readonly attempts: number

  /**
   * Calls `listener` after each change of state. Its failure goes to `onError` or a process warning, and ends nothing.
   * @returns A function that ends this.
   * @throws {TransportError} ERR_INVALID_OPTION
   */
  onStateChange(listener: (state: ReconnectingState) => unknown): () => void

  /**
   * Resolves when it is connected and greeted, at once if it is. Rejects with what ended it if it ends first, with
   * ERR_ABORTED or ERR_TIMEOUT when the caller gives up; it goes on connecting then.
   */
  connected(options?: WaitOptions): Promise<void>

  /** Sends one frame, at once or on the next connection. False: it waits for room, or for a connection. */
  send: Connection['send']

  /** Sends all frames, in order, at once or on the next connection, or throws and takes none. False: as of `send()`. */
  sendBatch: Connection['sendBatch']

  /** Resolves once it is connected and has room. Rejects with ERR_CLOSED when it ends first. */
  ready: Connection['ready']

  /**
   * Takes no more frames; all that were taken leave, then the outgoing side ends, and the connection with it when its
   * peer has ended too. Resolves when they have left or it is over. While it is not connected, `closeTimeoutMs` bounds
   * this.
   */
  end: Connection['end']

  /**
   * Ends gracefully: what was sent goes to a connection, the next one if there is none, within `closeTimeoutMs`; it
   * then closes as connections do. The last loss report has what has not left. Resolves as `closed` does.
   */
  close: Connection['close']

  /** Ends at once. What has not left is in the last loss report; what was received and not taken is dropped. */
  destroy: Connection['destroy']
}
