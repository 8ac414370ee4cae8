/** Listening by a server of the shard's own: on a named pipe, or where main can pass no socket to a shard. */
import net from 'node:net'
import { divertHandles } from '../../engine/internals/socket-handle.js'
import type { AcceptedPeer, ListenHandle } from '../shard-transport.js'
import { acceptedPeer, unopenedPeer } from './socket-wire.js'

/** `most`: how many connections wait here while it is paused. `refused` says what a system error means. */
export async function listenByServer(
  options: net.ListenOptions,
  most: number,
  onAccepted: (peer: AcceptedPeer) => void,
  onFailure: (error: Error) => void,
  refused: (error: NodeJS.ErrnoException) => Error,
): Promise<ListenHandle> {
  // A server that closed would lose its name. So it stays open while it is paused, and connections wait here.
  const waiting: AcceptedPeer[] = []
  let paused = false
  const server = await openServer(
    options,
    (peer) => {
      if (!paused) onAccepted(peer)
      else if (waiting.length < most) waiting.push(peer)
      else peer.reject()
    },
    onFailure,
    refused,
  )
  return {
    pause: () => {
      paused = true
    },
    resume: () => {
      paused = false
      // Each may fill main's queue, and so pause again.
      for (let peer = next(); peer !== undefined; peer = next()) onAccepted(peer)
      return Promise.resolve()
    },
    close: () => {
      for (const peer of waiting.splice(0)) peer.reject()
      server.close()
      return Promise.resolve()
    },
  }

  function next(): AcceptedPeer | undefined {
    return paused ? undefined : waiting.shift()
  }
}

function openServer(
  options: net.ListenOptions,
  onAccepted: (peer: AcceptedPeer) => void,
  onFailure: (error: Error) => void,
  refused: (error: NodeJS.ErrnoException) => Error,
): Promise<net.Server> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.on('connection', (socket) => onAccepted(acceptedPeer(socket)))
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(refused(error))
    server.once('error', onError)
    const onListening = (): void => {
      server.off('error', onError)
      server.on('error', onFailure)
      divertHandles(server, (handle) => onAccepted(unopenedPeer(handle)))
      resolve(server)
    }
    try {
      server.listen(options, onListening)
    } catch (error) {
      // Node's permission model refuses at once.
      onError(error as NodeJS.ErrnoException)
    }
  })
}
