/** Unix domain sockets: paths, and Linux abstract names (a leading NUL). */
import net from 'node:net'
import { fromSystemError } from '../../engine/shared/errors.js'
import type { TransportTarget } from '../../engine/shared/target.js'
import type { ShardTransport } from '../../engine/shared/wire.js'
import { acceptedPeer, readInto, SocketWire } from './socket-wire.js'

type UnixTarget = Extract<TransportTarget, { kind: 'unix' }>

export const unixTransport: ShardTransport<UnixTarget> = {
  dial(target, owner) {
    const socket = net.connect({ path: target.path, allowHalfOpen: true, onread: readInto(owner) })
    // Nothing is read before the lane is attached.
    socket.pause()
    const connected = new Promise<SocketWire>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        reject(fromSystemError(error, 'connecting to', describe(target)))
      }
      const onClose = (): void => {
        reject(new Error('the dial was aborted'))
      }
      socket.once('error', onError)
      socket.once('close', onClose)
      socket.once('connect', () => {
        socket.off('error', onError)
        socket.off('close', onClose)
        resolve(new SocketWire(socket, owner))
      })
    })
    return { connected, abort: () => void socket.destroy() }
  },

  listen(target, backlog, onAccepted, onFailure) {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
    server.on('connection', (socket) => {
      onAccepted(acceptedPeer(socket))
    })
    const where = 'fd' in target ? { fd: target.fd } : { path: target.path }
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        reject(fromSystemError(error, 'listening on', describe(target)))
      }
      server.once('error', onError)
      server.listen({ ...where, backlog }, () => {
        server.off('error', onError)
        server.on('error', onFailure)
        resolve({
          // Not waiting for the server's own callback: that comes only when all its connections have ended.
          close: () => {
            server.close()
            return Promise.resolve()
          },
        })
      })
    })
  },
}

function describe(target: UnixTarget): string {
  return target.path.startsWith('\0') ? `unix:@${target.path.slice(1)}` : `unix:${target.path}`
}
