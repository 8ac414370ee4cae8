/** Unix domain sockets: paths, and Linux abstract names (a leading NUL). */
import fs from 'node:fs/promises'
import net from 'node:net'
import { fromSystemError } from '../../engine/shared/errors.js'
import type { TransportTarget } from '../../engine/shared/target.js'
import type { AcceptedPeer, ShardTransport } from '../../engine/shared/wire.js'
import { acceptedPeer, readInto, SocketWire } from './socket-wire.js'

type UnixTarget = Extract<TransportTarget, { kind: 'unix' }>

export const unixTransport: ShardTransport<UnixTarget> = {
  dial(target, owner) {
    const socket = net.connect({ path: target.path, allowHalfOpen: true, onread: readInto(owner) })
    // Nothing is read before the lane is attached.
    socket.pause()
    const connected = new Promise<SocketWire>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        // 'close' follows at once and must not be first.
        socket.off('close', onClose)
        void refusalOf(error, target).then(reject)
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

  async listen(target, backlog, onAccepted, onFailure) {
    let server = await openServer(target, backlog, onAccepted, onFailure)
    let closed = false
    return {
      // The descriptor goes with the server. Main holds the socket open, so peers go on queueing in its backlog.
      pause: () => {
        server.close()
      },
      async resume(again) {
        const next = await openServer(again as UnixTarget, backlog, onAccepted, onFailure)
        if (closed) next.close()
        else server = next
      },
      // Not waiting for the server's own callback: that comes only when all its connections have ended.
      close: () => {
        closed = true
        server.close()
        return Promise.resolve()
      },
    }
  },
}

function openServer(
  target: UnixTarget,
  backlog: number,
  onAccepted: (peer: AcceptedPeer) => void,
  onFailure: (error: Error) => void,
): Promise<net.Server> {
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
    // As an argument: Node ignores the option of that name where a descriptor is given.
    server.listen(where, backlog, () => {
      server.off('error', onError)
      server.on('error', onFailure)
      resolve(server)
    })
  })
}

/** The system says "refused" of a path that is no socket at all, too. */
async function refusalOf(error: NodeJS.ErrnoException, target: UnixTarget): Promise<Error> {
  const doing = 'connecting to'
  if (error.code === 'ECONNREFUSED' && !target.path.startsWith('\0')) {
    const there = await fs.stat(target.path).catch(() => undefined)
    if (there?.isSocket() === false) {
      const cause = Object.assign(new Error('connect ENOTSOCK'), { code: 'ENOTSOCK', syscall: 'connect' })
      return fromSystemError(cause, doing, describe(target))
    }
  }
  return fromSystemError(error, doing, describe(target))
}

function describe(target: UnixTarget): string {
  return target.path.startsWith('\0') ? `unix:@${target.path.slice(1)}` : `unix:${target.path}`
}
