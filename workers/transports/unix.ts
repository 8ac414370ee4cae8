/** Unix domain sockets: paths, and Linux abstract names (a leading NUL). */
import fs from 'node:fs/promises'
import { fromSystemError } from '../../engine/shared/errors.js'
import type { TransportTarget } from '../../engine/shared/target.js'
import type { ShardTransport } from '../../engine/shared/wire.js'
import { dialPath, listenHandle } from './net-transport.js'

type UnixTarget = Extract<TransportTarget, { kind: 'unix' }>

export const unixTransport: ShardTransport<UnixTarget> = {
  dial(target, owner) {
    return dialPath(target.path, owner, true, (error) => refusalOf(error, target))
  },

  listen(target, backlog, onAccepted, onFailure) {
    // The descriptor goes with the server. Main holds the socket open, so peers go on queueing while it is paused.
    const whereOf = (at: UnixTarget) => ('fd' in at ? { fd: at.fd, backlog } : { path: at.path, backlog })
    const explain = (error: NodeJS.ErrnoException): Error =>
      fromSystemError(error, 'listening on', describe(target))
    return listenHandle(target, whereOf, { halfClose: true, onAccepted, onFailure, explain })
  },
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
