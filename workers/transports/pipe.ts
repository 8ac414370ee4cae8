/** Windows named pipes. They have no half-close: see docs/lifecycle.md. */
import { fromSystemError } from '../../engine/shared/errors.js'
import type { TransportTarget } from '../../engine/shared/target.js'
import type { ShardTransport } from '../../engine/shared/wire.js'
import { dialPath, listenHandle } from './net-transport.js'

type PipeTarget = Extract<TransportTarget, { kind: 'pipe' }>

export const pipeTransport: ShardTransport<PipeTarget> = {
  dial(target, owner) {
    return dialPath(target.path, owner, false, (error) =>
      fromSystemError(error, 'connecting to', describe(target)),
    )
  },

  listen(target, backlog, onAccepted, onFailure) {
    const whereOf = ({ path, readableAll, writableAll }: PipeTarget) => ({
      path,
      backlog,
      readableAll,
      writableAll,
    })
    const explain = (error: NodeJS.ErrnoException): Error =>
      fromSystemError(error, 'listening on', describe(target))
    return listenHandle(target, whereOf, { halfClose: false, onAccepted, onFailure, explain })
  },
}

function describe(target: PipeTarget): string {
  return `pipe:${target.path.slice('\\\\.\\pipe\\'.length)}`
}
