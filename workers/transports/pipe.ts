/** Windows named pipes. They have no half-close: see docs/lifecycle.md. */
import net from 'node:net'
import { divertHandles } from '../../engine/internals/socket-handle.js'
import { fromSystemError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import type { AcceptedPeer, ListeningTransport } from '../shard-transport.js'
import { dialPath } from './net-transport.js'
import { acceptedPeer, unopenedPeer } from './socket-wire.js'

type PipeTarget = TargetOf<'pipe'>

export const pipeTransport: ListeningTransport<PipeTarget> = {
  dial(target, owner) {
    return dialPath(target.path, owner, (error) => fromSystemError(error, 'connecting to', describe(target)))
  },

  async listen(target, backlog, onAccepted, onFailure) {
    // The system has no backlog for a pipe. So its server stays open while it is paused, and connections wait here.
    const waiting: AcceptedPeer[] = []
    let paused = false
    const server = await openServer(
      target,
      (peer) => {
        if (!paused) onAccepted(peer)
        else if (waiting.length < backlog) waiting.push(peer)
        else peer.reject()
      },
      onFailure,
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
  },
}

function openServer(
  target: PipeTarget,
  onAccepted: (peer: AcceptedPeer) => void,
  onFailure: (error: Error) => void,
): Promise<net.Server> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.on('connection', (socket) => onAccepted(acceptedPeer(socket)))
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void =>
      reject(fromSystemError(error, 'listening on', describe(target)))
    server.once('error', onError)
    const onListening = (): void => {
      server.off('error', onError)
      server.on('error', onFailure)
      divertHandles(server, (handle) => onAccepted(unopenedPeer(handle)))
      resolve(server)
    }
    const { path, readableAll, writableAll } = target
    try {
      server.listen({ path, readableAll, writableAll }, onListening)
    } catch (error) {
      // Node's permission model refuses at once.
      onError(error as NodeJS.ErrnoException)
    }
  })
}

function describe(target: PipeTarget): string {
  return `pipe:${target.path.slice('\\\\.\\pipe\\'.length)}`
}
