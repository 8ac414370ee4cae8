/** What Unix sockets and named pipes have in common: Node reaches both by a path. */
import net from 'node:net'
import { divertHandles } from '../../engine/internals/socket-handle.js'
import type { AcceptedPeer, Dialling, ListenHandle, WireOwner } from '../wire.js'
import { acceptedPeer, readInto, SocketWire, unopenedPeer } from './socket-wire.js'

/**
 * `explain` turns the system's error into one of ours. `refuse` is asked of a connection before it is used: an error
 * cuts it.
 */
export function dialPath(
  path: string,
  owner: WireOwner,
  halfClose: boolean,
  explain: (error: NodeJS.ErrnoException) => Error | Promise<Error>,
  refuse: () => Error | undefined = () => undefined,
): Dialling {
  const socket = net.connect({ path, allowHalfOpen: true, onread: readInto(owner) })
  // Nothing is read before the lane is attached.
  socket.pause()
  let giveUp = (): void => undefined
  const connected = new Promise<SocketWire>((resolve, reject) => {
    giveUp = () => {
      reject(new Error('the dial was aborted'))
    }
    const onError = (error: NodeJS.ErrnoException): void => {
      // 'close' follows at once and must not be first.
      socket.off('close', onClose)
      void Promise.resolve(explain(error)).then(reject)
    }
    const onClose = giveUp
    socket.once('error', onError)
    socket.once('close', onClose)
    socket.once('connect', () => {
      socket.off('error', onError)
      socket.off('close', onClose)
      const refusal = refuse()
      if (refusal === undefined) {
        resolve(new SocketWire(socket, owner, halfClose))
        return
      }
      socket.destroy()
      reject(refusal)
    })
  })
  return {
    connected,
    abort: () => {
      socket.destroy()
      // Not when it has closed: libuv waits up to 30 s for a busy pipe, on a thread that nothing interrupts.
      giveUp()
    },
  }
}

export interface ServerSettings {
  readonly halfClose: boolean
  readonly onAccepted: (peer: AcceptedPeer) => void
  /** Once it listens. */
  readonly onFailure: (error: Error) => void
  readonly explain: (error: NodeJS.ErrnoException) => Error
}

export function openServer(where: net.ListenOptions, settings: ServerSettings): Promise<net.Server> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.on('connection', (socket) => {
    settings.onAccepted(acceptedPeer(socket, settings.halfClose))
  })
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(settings.explain(error))
    }
    server.once('error', onError)
    // The backlog as an argument: Node ignores the option of that name where a descriptor is given.
    const onListening = (): void => {
      server.off('error', onError)
      server.on('error', settings.onFailure)
      divertHandles(server, (handle) => {
        settings.onAccepted(unopenedPeer(handle, settings.halfClose))
      })
      resolve(server)
    }
    try {
      server.listen(where, where.backlog, onListening)
    } catch (error) {
      // Node's permission model says no at once.
      onError(error as NodeJS.ErrnoException)
    }
  })
}

/** A server that can be closed and opened again. `whereOf` says where, for the target that it is given then. */
export async function listenHandle<Target>(
  target: Target,
  whereOf: (target: Target) => net.ListenOptions,
  settings: ServerSettings,
): Promise<ListenHandle> {
  let server = await openServer(whereOf(target), settings)
  let closed = false
  return {
    pause: () => {
      server.close()
    },
    async resume(again) {
      const next = await openServer(whereOf(again as Target), settings)
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
}
