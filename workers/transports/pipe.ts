/** Windows named pipes. They have no half-close: see docs/lifecycle.md. */
import { fromSystemError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import type { ListeningTransport } from '../shard-transport.js'
import { dialPath } from './net-transport.js'
import { listenByServer } from './server-listener.js'

type PipeTarget = TargetOf<'pipe'>

export const pipeTransport: ListeningTransport<PipeTarget> = {
  dial(target, owner) {
    return dialPath(target.path, owner, (error) => fromSystemError(error, 'connecting to', describe(target)))
  },

  listen(target, backlog, onAccepted, onFailure) {
    const { path, readableAll, writableAll } = target
    const refused = (error: NodeJS.ErrnoException): Error => fromSystemError(error, 'listening on', describe(target))
    // The system has no backlog for a pipe.
    return listenByServer({ path, readableAll, writableAll }, backlog, onAccepted, onFailure, refused)
  },
}

function describe(target: PipeTarget): string {
  return `pipe:${target.path.slice('\\\\.\\pipe\\'.length)}`
}
