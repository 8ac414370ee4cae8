/**
 * A short-lived helper process: binds a socket and passes a descriptor of it to its parent, once for each shard.
 *
 * Every message carries a duplicate of the descriptor, so each shard owns one of its own, and the death of one shard
 * closes nobody else's. The socket is bound and not listening: a helper that listened could accept a connection and
 * take it to its grave.
 */
import net from 'node:net'

export interface BindRequest {
  readonly path: string
  readonly copies: number
}

export interface BindReply {
  readonly ok: boolean
  readonly errno?: number
}

/** Binds without listening. Undocumented and old: the cluster module stands on it. */
interface CreatesServerHandle {
  _createServerHandle(path: string, port: number, addressType: number): object | number
}

process.once('message', (request: BindRequest) => {
  const handle = (net as unknown as CreatesServerHandle)._createServerHandle(request.path, -1, -1)
  if (typeof handle === 'number') {
    reply({ ok: false, errno: handle })
    return
  }
  for (let copy = 0; copy < request.copies; copy++) reply({ ok: true }, handle)
})

function reply(message: BindReply, handle?: object): void {
  process.send?.(message, handle as net.Server | undefined, { keepOpen: true })
}

process.once('disconnect', () => {
  process.exit()
})
