/**
 * How a socket file takes its name. `link` is the only way in which that is done, and it fails if the name exists:
 * nothing is ever replaced. A stale socket, one that refuses connections, has to leave the name first; it is moved into
 * the taker's private folder, looked at there, and put back if it is not the one that was found stale. What cannot be
 * put back is kept.
 *
 * A socket that nobody listens on stays like that for ever, so it can be probed before the lock is taken. What has to
 * be guarded is the step from a look at the name to the move. Two things guard it: both are system calls in a row,
 * and of those who want to move what lies at one name only one holds the lock.
 */
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fromSystemError, TransportError } from '../protocol/errors.js'
import type { Folder } from '../filesystem/held-folder.js'
import { FolderLock } from './folder-lock.js'
import { STALE_SOCKET } from './leftovers.js'
import { probeListener } from './listener-probe.js'

/** How often the name may change hands under us before we say that it is in use. */
const ATTEMPTS = 8

/** What the names of locks begin with; the name that is locked follows. */
export const LOCK_PREFIX = '.s-lock.'

export type Identity = Pick<fs.BigIntStats, 'dev' | 'ino'>

/** The name that is to be taken, and where that is done. */
export interface Place {
  readonly folder: Folder
  readonly name: string
  /** A folder in that folder which only we can enter. */
  readonly own: string
  readonly mark: string
  /** A socket address: relative, if the path was given like that and the whole one is too long. */
  addressOf(...names: readonly string[]): string
}

/** Gives the file at `from` the name. @throws {TransportError} or the system's error. */
export async function takeName(from: string, place: Place, endpoint: string): Promise<void> {
  const name = place.folder.at(place.name)
  const ownAddress = place.addressOf(basename(place.own))
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (tryLink(from, name)) return
    const found = look(name)
    if (found === undefined) continue
    if (!found.isSocket()) {
      throw new TransportError(
        'ERR_NOT_A_SOCKET',
        `listening on ${endpoint}: the path exists and is not a socket. Nothing was removed: choose another path.`,
        { endpoint },
      )
    }
    const answer = await probeListener(place.addressOf(place.name), ownAddress)
    if (answer?.code === 'ENOENT') continue
    if (answer?.code === 'EACCES' || answer?.code === 'EPERM') throw fromSystemError(answer, 'listening on', endpoint)
    if (answer?.code !== 'ECONNREFUSED') {
      throw new TransportError(
        'ERR_ADDRESS_IN_USE',
        `listening on ${endpoint}: another process listens there. Stop it, or choose another endpoint.`,
        { endpoint },
      )
    }
    const lock = new FolderLock(place.folder, `${LOCK_PREFIX}${place.name}`, place.own, place.mark)
    if (lock.state === 'busy') throw takenJustNow(endpoint)
    try {
      removeStale(name, found, join(place.own, STALE_SOCKET), endpoint)
    } finally {
      lock.release()
    }
  }
  throw takenJustNow(endpoint)
}

function takenJustNow(endpoint: string): TransportError {
  return new TransportError(
    'ERR_ADDRESS_IN_USE',
    `listening on ${endpoint}: another process is taking that path just now. Choose another endpoint.`,
    { endpoint },
  )
}

/**
 * Takes the stale socket off its name and removes it; leaves the name alone if it means something else by now.
 * @throws {TransportError} Somebody else's file was moved and cannot be put back: it stays at `aside`.
 */
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
  // Else replaced between the look and the move, by somebody who does not know the lock.
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
  throw new TransportError(
    'ERR_ADDRESS_IN_USE',
    `listening on ${endpoint}: other programs are replacing that path. What one of them put there is kept as ${where} in the same folder. Choose another endpoint.`,
    { cause, endpoint },
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

/** Enough while either is known to exist: the number of a file that is gone is soon another's. */
export function isSame(one: Identity, other: Identity | undefined): boolean {
  return one.ino === other?.ino && one.dev === other.dev
}

/**
 * Whether what lies there is what lay there before, by all that a move leaves as it is. Where a system does not keep
 * the time of birth it gives another time for it, which a move may change.
 */
function isSameFile(now: fs.BigIntStats, before: fs.BigIntStats): boolean {
  const isBornThen = now.birthtimeNs === before.birthtimeNs || now.birthtimeNs === now.ctimeNs
  return isSame(now, before) && now.isSocket() && isBornThen && now.mtimeNs === before.mtimeNs
}
