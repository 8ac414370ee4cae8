/**
 * How a socket file takes its name: only by `link`, which fails if the name exists, so that nothing is ever replaced. A
 * stale socket, one that refuses connections, has to leave the name first. It is moved into the taker's private folder,
 * looked at there, and put back if it is not the one that was found stale. What cannot be put back is kept.
 *
 * A socket that nothing listens on stays stale, so it can be probed before the lock is taken. What needs a guard is the
 * step from a look at the name to the move: both are system calls in a row, and only the holder of the lock moves what
 * lies at the name.
 */
import cluster from 'node:cluster'
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fromSystemError, TransportError, type TransportErrorCode } from '../protocol/errors.js'
import type { Folder } from '../filesystem/held-folder.js'
import { FolderLock } from './folder-lock.js'
import { STALE_SOCKET } from './leftovers.js'
import { probeListener } from './listener-probe.js'

/** How often the name may change hands before it counts as in use. */
const ATTEMPTS = 8
const IN_USE = 'ERR_ADDRESS_IN_USE'

/** The cluster module shares the sockets of `net` servers alone. */
const adviceInUse = cluster.isWorker
  ? "Workers of the cluster module share no endpoint: give each its own, such as one with the worker's number in its name, or listen in one process with more shards."
  : 'Stop it, or choose another endpoint.'

/** How the names of locks begin; the name that is locked follows. */
export const LOCK_PREFIX = '.s-lock.'

export type Identity = Pick<fs.BigIntStats, 'dev' | 'ino'>

/** The name that is to be taken, and where. */
export interface Place {
  readonly folder: Folder
  readonly name: string
  /** Lies in `folder`. */
  readonly privateFolder: string
  readonly mark: string
  /** A socket address: relative, if the path was given like that and the whole one is too long. */
  addressOf(...names: readonly string[]): string
}

/** Gives the file at `from` the name. @throws {TransportError} or the system's error. */
export async function takeName(from: string, place: Place, endpoint: string): Promise<void> {
  const name = place.folder.at(place.name)
  const askerFolder = place.addressOf(basename(place.privateFolder))
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (tryLink(from, name)) return
    const found = look(name)
    if (found === undefined) continue
    if (!found.isSocket()) {
      const message = 'the path exists and is not a socket. Nothing was removed: choose another path.'
      throw refusal('ERR_NOT_A_SOCKET', endpoint, message)
    }
    const answer = await probeListener(place.addressOf(place.name), askerFolder)
    if (answer?.code === 'ENOENT') continue
    if (answer?.code === 'EACCES' || answer?.code === 'EPERM') throw fromSystemError(answer, 'listening on', endpoint)
    if (answer?.code !== 'ECONNREFUSED') {
      throw refusal(IN_USE, endpoint, `another process listens there. ${adviceInUse}`)
    }
    const lock = new FolderLock(place.folder, `${LOCK_PREFIX}${place.name}`, place.privateFolder, place.mark)
    if (lock.state === 'busy') throw takenJustNow(endpoint)
    try {
      removeStale(name, found, join(place.privateFolder, STALE_SOCKET), endpoint)
    } finally {
      lock.release()
    }
  }
  throw takenJustNow(endpoint)
}

function takenJustNow(endpoint: string): TransportError {
  return refusal(IN_USE, endpoint, 'another process is taking that path just now. Choose another endpoint.')
}

export function refusal(code: TransportErrorCode, endpoint: string, message: string, cause?: unknown): TransportError {
  return new TransportError(code, `listening on ${endpoint}: ${message}`, { cause, endpoint })
}

/** Removes the stale socket. @throws {TransportError} Another program's file was moved and stays at `aside`. */
function removeStale(name: string, stale: fs.BigIntStats, aside: string, endpoint: string): void {
  const there = look(name)
  if (there === undefined || !isSameFile(there, stale) || there.ctimeNs !== stale.ctimeNs) return
  try {
    fs.renameSync(name, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const moved = look(aside)
  if (moved === undefined) return
  // If not, a program that does not know the lock has replaced it between the look and the move.
  if (!isSameFile(moved, stale)) putBack(aside, name, moved, endpoint)
  if (!moved.isDirectory()) fs.unlinkSync(aside)
}

function putBack(aside: string, name: string, moved: fs.BigIntStats, endpoint: string): void {
  let cause: unknown
  try {
    if (moved.isDirectory()) fs.renameSync(aside, name)
    else if (!tryLink(aside, name)) throw new Error('the name was taken again')
    return
  } catch (error) {
    cause = error
  }
  const where = join(basename(dirname(aside)), basename(aside))
  throw refusal(
    IN_USE,
    endpoint,
    `other programs are replacing that path. What one of them put there is kept as ${where} in the same folder. Choose another endpoint.`,
    cause,
  )
}

function tryLink(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

export function look(path: string): fs.BigIntStats | undefined {
  return fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
}

/** Enough while one of them is known to exist: the number of a file that is gone is soon another's. */
export function isSame(one: Identity, other: Identity | undefined): boolean {
  return one.ino === other?.ino && one.dev === other.dev
}

/** By all that a move leaves as it is. A system without a time of birth gives one instead that a move may change. */
export function isSameFile(now: fs.BigIntStats, before: fs.BigIntStats): boolean {
  const isBornThen = now.birthtimeNs === before.birthtimeNs || now.birthtimeNs === now.ctimeNs
  return isSame(now, before) && now.isSocket() && isBornThen && now.mtimeNs === before.mtimeNs
}
