/** Listening on duplicates of a Unix socket that main holds: another one each time that it goes on. */
import { acceptOn } from '../../engine/internals/accepting-handle.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import type { ListenTarget } from '../../engine/protocol/target.js'
import { systemErrorOf } from '../../engine/protocol/system-errno.js'
import type { AcceptedPeer, DescriptorSource, ListenHandle } from '../shard-transport.js'
import { unopenedPeer } from './socket-wire.js'

/** `refused` says what a system error means for the endpoint. */
export async function listenOnDuplicate(
  target: ListenTarget,
  backlog: number,
  onAccepted: (peer: AcceptedPeer) => void,
  onFailure: (error: Error) => void,
  descriptors: DescriptorSource,
  refused: (error: NodeJS.ErrnoException) => Error,
): Promise<ListenHandle> {
  const open = async (given: ListenTarget): Promise<SocketHandle> => {
    if (!('ticket' in given)) throw new Error('main holds no socket for this')
    const socket = await descriptors.receive(given.ticket)
    // The process had no number left for it.
    if (socket === undefined) throw refused(Object.assign(new Error('recvmsg EMFILE'), { code: 'EMFILE' }))
    const errno = acceptOn(socket, backlog, (status, connection) => {
      if (connection === undefined) onFailure(systemErrorOf(status, 'accept'))
      else onAccepted(unixPeer(connection))
    })
    if (errno === 0) return socket
    socket.close()
    throw refused(systemErrorOf(errno, 'listen'))
  }
  let socket = await open(target)
  let closed = false
  return {
    // Main holds the socket that this is a duplicate of, so peers go on queueing meanwhile.
    pause: () => socket.close(),
    async resume(again: ListenTarget) {
      const next = await open(again)
      if (closed) next.close()
      else socket = next
    },
    close: () => {
      closed = true
      socket.close()
      return Promise.resolve()
    },
  }
}

/** One that another shard may get. */
export function unixPeer(handle: SocketHandle): AcceptedPeer {
  return { ...unopenedPeer(handle), handle }
}
