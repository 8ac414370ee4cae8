/**
 * A Unix socket that main has bound and never listens on. Shards listen on duplicates of it, so the socket outlives
 * each of them: peers that connect while a shard is away wait in the backlog. See docs/decisions/accept-sharding.md.
 */
import { bindHandle } from '../internals/bound-handle.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import type { Ledger } from '../common/ledger.js'
import { fromSystemError } from '../protocol/errors.js'

export class BoundSocket {
  readonly endpoint: string
  readonly handle: SocketHandle
  /** The one that its file is in; undefined: it has none. */
  readonly folder: string | undefined
  readonly #ledger: Ledger

  /** @throws {TransportError} */
  constructor(path: string, endpoint: string, folder: string | undefined, ledger: Ledger) {
    this.endpoint = endpoint
    this.folder = folder
    try {
      this.handle = bindHandle(path)
    } catch (error) {
      throw fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
    }
    this.#ledger = ledger
    ledger.open('descriptors')
  }

  close(): void {
    this.handle.close()
    this.#ledger.release('descriptors')
  }
}
