/** Unix domain sockets: paths, and Linux abstract names (a leading NUL). */
import fs from 'node:fs/promises'
import { basename } from 'node:path'
import process from 'node:process'
import { fromSystemError, TransportError } from '../../engine/protocol/errors.js'
import type { HeldFolder } from '../../engine/filesystem/held-folder.js'
import { openLocalFolder } from '../../engine/filesystem/local-folder.js'
import { isAbstract, type LocalFolder, type TargetOf, type UnixTarget } from '../../engine/protocol/target.js'
import { refusedDial, type Dialling, type ListeningTransport } from '../shard-transport.js'
import type { WireOwner } from '../wire.js'
import { listenOnDuplicate } from './duplicate-listener.js'
import { dialPath } from './net-transport.js'
import { listenByServer } from './server-listener.js'

export { unixPeer } from './duplicate-listener.js'

type AnyUnixTarget = TargetOf<'unix'>

export const unixTransport: ListeningTransport<AnyUnixTarget> = {
  dial(target, owner) {
    if (isAbstract(target)) return dialAbstract(target, owner)
    if (target.within !== undefined) return dialWithin(target, target.within, owner)
    return dialPath(target.path, owner, (error) => refusalOf(error, target))
  },

  listen(target, backlog, onAccepted, onFailure, descriptors) {
    const refused = (error: NodeJS.ErrnoException): Error => fromSystemError(error, 'listening on', describe(target))
    if ('bindAt' in target) {
      const options = { path: target.bindAt, exclusive: true, backlog }
      return listenByServer(options, backlog, onAccepted, onFailure, refused)
    }
    return listenOnDuplicate(target, backlog, onAccepted, onFailure, descriptors, refused)
  },
}

/** The folder is checked for each dial, and must still be that folder when its socket is connected. */
function dialWithin(target: UnixTarget, within: LocalFolder, owner: WireOwner): Dialling {
  const endpoint = describe(target)
  let folder: HeldFolder
  try {
    folder = openLocalFolder(within, 'dial', endpoint)
  } catch (error) {
    if (error instanceof TransportError && error.code === 'ERR_NOT_FOUND') return refusedDial(noSuchName(target, error))
    return refusedDial(error instanceof Error ? error : new Error(String(error)))
  }
  const explain = (error: NodeJS.ErrnoException): Promise<Error> => refusalOf(error, target)
  const refuse = (): Error | undefined => {
    if (folder.isStill()) return undefined
    const message = `connecting to ${endpoint}: its folder was replaced meanwhile. Check who did that, and connect again.`
    return new TransportError('ERR_ACCESS', message)
  }
  let dialling: Dialling
  try {
    dialling = dialPath(folder.at(basename(target.path)), owner, explain, refuse)
  } catch (error) {
    // Node's permission model refuses at once.
    folder.close()
    throw error
  }
  return { connected: dialling.connected.finally(() => folder.close()), abort: () => dialling.abort() }
}

/**
 * Node 20 pads every abstract name with NULs to the greatest length; later versions, and other programs, do not. So a
 * name that a later version does not find is tried padded; Node 20 cannot do the reverse.
 */
const [uvMajor = 0, uvMinor = 0] = process.versions.uv.split('.').map(Number)
const PADS_NAMES = uvMajor === 1 && uvMinor < 48
/** All of `sun_path`. */
const LONGEST_NAME = 108

function dialAbstract(target: UnixTarget, owner: WireOwner): Dialling {
  const explain = (error: NodeJS.ErrnoException): Promise<Error> => refusalOf(error, target)
  const missing = LONGEST_NAME - Buffer.byteLength(target.path)
  let current = dialPath(target.path, owner, explain)
  if (PADS_NAMES || missing === 0) return current
  const connected = current.connected.catch((error: unknown) => {
    if (!(error instanceof TransportError) || error.code !== 'ERR_REFUSED') throw error
    current = dialPath(target.path + '\0'.repeat(missing), owner, explain)
    return current.connected
  })
  return { connected, abort: () => current.abort() }
}

/** The system refuses a path that is no socket in the same way as a socket without a listener. */
async function refusalOf(error: NodeJS.ErrnoException, target: UnixTarget): Promise<Error> {
  const doing = 'connecting to'
  if (error.code === 'ENOENT' && target.within !== undefined) return noSuchName(target, error)
  if (error.code === 'ECONNREFUSED' && !isAbstract(target)) {
    const there = await fs.stat(target.path).catch(() => undefined)
    if (there?.isSocket() === false) {
      const cause = Object.assign(new Error('connect ENOTSOCK'), { code: 'ENOTSOCK', syscall: 'connect' })
      return fromSystemError(cause, doing, describe(target))
    }
  }
  if (error.code === 'ECONNREFUSED' && isAbstract(target) && PADS_NAMES) {
    return new TransportError(
      'ERR_REFUSED',
      `${doing} ${describe(target)}: nobody listens there, as this version of Node names it. Start the peer. Unless the peer runs on Node 20, too, run this on Node 22 or later, or use a path.`,
      { cause: error },
    )
  }
  return fromSystemError(error, doing, describe(target))
}

/** Where it was looked for depends on who looks, and nothing else shows it. */
function noSuchName(target: UnixTarget, cause: Error): TransportError {
  return new TransportError(
    'ERR_NOT_FOUND',
    `connecting to ${describe(target)}: there is no ${target.path}. Start the peer first, as the same user and with the same XDG_RUNTIME_DIR.`,
    { cause },
  )
}

function describe(target: UnixTarget): string {
  if (target.within !== undefined) {
    const isShm = target.path.endsWith('.shm')
    return isShm ? `shm:${basename(target.path, '.shm')}` : `local:${basename(target.path, '.sock')}`
  }
  return isAbstract(target) ? `unix:@${target.path.slice(1)}` : `unix:${target.path}`
}
