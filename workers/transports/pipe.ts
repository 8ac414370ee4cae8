/** Windows named pipes. They have no half-close: see docs/lifecycle.md. */
import { fromSystemError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import type { AcceptedPeer, ListeningTransport } from '../shard-transport.js'
import { dialPath, openServer } from './net-transport.js'

type PipeTarget = TargetOf<'pipe'>

export const pipeTransport: ListeningTransport<PipeTarget> = {
  dial(target, owner) {
    return dialPath(target.path, owner, (error) => fromSystemError(error, 'connecting to', describe(target)))
  },

  async listen(target, backlog, onAccepted, onFailure) {
    const { path, readableAll, writableAll } = target
    // The system has no backlog for a pipe. So its server stays open while it is paused, and connections wait here.
    const waiting: AcceptedPeer[] = []
    let paused = false
    const server = await openServer(
      { path, readableAll, writableAll },
      {
        onAccepted: (peer) => {
          if (!paused) onAccepted(peer)
          else if (waiting.length < backlog) waiting.push(peer)
          else peer.reject()
        },
        onFailure,
        explain: (error) => fromSystemError(error, 'listening on', describe(target)),
      },
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

function describe(target: PipeTarget): string {
  return `pipe:${target.path.slice('\\\\.\\pipe\\'.length)}`
}
