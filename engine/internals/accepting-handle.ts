/**
 * Undocumented: a handle that accepts, without a `net.Server`. A server can be given a descriptor by its number alone,
 * and two handles of one number close each other.
 */
import type { SocketHandle } from './socket-handle.js'

/** `status`: 0, or the system's negative number of an error; then there is no connection. */
type OnConnection = (status: number, connection: SocketHandle | undefined) => void

interface AcceptingHandle extends SocketHandle {
  onconnection: OnConnection
  listen(backlog: number): number
}

/** Listens on a bound socket, until the handle is closed. Returns 0, or the system's negative number of an error. */
export function acceptOn(handle: SocketHandle, backlog: number, onConnection: OnConnection): number {
  const accepting = handle as AcceptingHandle
  accepting.onconnection = onConnection
  return accepting.listen(backlog)
}
