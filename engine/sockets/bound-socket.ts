/**
 * A Unix socket that main holds and never listens on: it has bound it, or was started with it. Shards listen on
 * duplicates of it, so the socket outlives each of them: peers that connect while a shard is away wait in the backlog.
 * See docs/decisions/accept-sharding.md.
 */
import { bindHandle } from '../internals/bound-handle.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import type { Ledger } from '../common/ledger.js'
import { fromSystemError } from '../protocol/errors.js'
import { closeInherited, keepInherited, takeInherited } from './inherited-socket.js'

/** How a listener is done with its socket. */
export type SocketEnd = 'closed' | 'never opened'

export class BoundSocket {
  readonly endpoint: string
  readonly handle: SocketHandle
  /** The one that its file is in; undefined: it has none. */
  readonly folder: string | undefined
  readonly #ledger: Ledger
  readonly #end: (end: SocketEnd) => void

  private constructor(
    handle: SocketHandle,
    endpoint: string,
    folder: string | undefined,
    ledger: Ledger,
    end: (end: SocketEnd) => void,
  ) {
    this.handle = handle
    this.endpoint = endpoint
    this.folder = folder
    this.#ledger = ledger
    this.#end = end
    ledger.open('descriptors')
  }

  /** @throws {TransportError} */
  static bind(path: string, endpoint: string, folder: string | undefined, ledger: Ledger): BoundSocket {
    let handle: SocketHandle
    try {
      handle = bindHandle(path)
    } catch (error) {
      throw fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
    }
    return new BoundSocket(handle, endpoint, folder, ledger, () => handle.close())
  }

  /** The descriptor that this process was started with. @throws {TransportError} */
  static inherit(fd: number, endpoint: string, ledger: Ledger): BoundSocket {
    const handle = takeInherited(fd, endpoint)
    const end = (how: SocketEnd): void => {
      if (how === 'closed') closeInherited(fd, handle)
      else keepInherited(fd, handle)
    }
    return new BoundSocket(handle, endpoint, undefined, ledger, end)
  }

  close(end: SocketEnd): void {
    this.#end(end)
    this.#ledger.release('descriptors')
  }
}
