/**
 * A socket file that appears finished: right mode, listening, and never over somebody else's.
 *
 * `process.umask` cannot be set in workers, and between bind and chmod a socket would be open to others. So it is
 * bound under a temporary name in a folder that only the owner can enter, given its mode there, and then linked to
 * the final name. `link` is the only way in which the final name is taken, and it fails if the name exists: nothing is
 * ever replaced. A stale socket, one that refuses connections, has to leave the name first; it is moved into the
 * private folder, looked at there, and put back if it is not the one that was found stale.
 *
 * A socket that nobody listens on stays like that for ever, so it can be probed before the lock is taken. What has to
 * be guarded is the step from a look at the name to the move. Two things guard it: both are system calls in a row,
 * and of those who want to move what lies at one name only one holds the lock. See docs/decisions/socket-files.md.
 */
import fs from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fromSystemError, TransportError } from '../shared/errors.js'
import { HeldFolder, type Folder } from '../shared/held-folder.js'
import { openLocalFolder } from '../shared/local-folder.js'
import type { UnixTarget } from '../shared/target.js'
import { FolderLock, removeDeadLock } from './folder-lock.js'
import { OWN_SOCKET, removeLeftovers, STALE_SOCKET } from './leftovers.js'
import { probeListener } from './listener-probe.js'
import { makerMark } from './maker.js'
import { removePrivateFolder } from './private-folder.js'

/** How often the name may change hands under us before we say that it is in use. */
const ATTEMPTS = 8

const PRIVATE_PREFIX = '.s-'
const LOCK_PREFIX = '.s-lock.'

export interface SocketFile {
  /** Where to bind. */
  readonly bindPath: string
  /** The socket is bound and listens: gives it its mode and its final name. */
  publish(): Promise<void>
  /**
   * Removes the final name if it is still ours, and what else is left. Call it while the socket is open: as long as
   * it is, nobody takes it for stale, and the system gives its inode number to no other file.
   */
  remove(): Promise<void>
}

type Identity = Pick<fs.BigIntStats, 'dev' | 'ino'>

/** The name that is to be taken, and where that is done. */
interface Place {
  readonly folder: Folder
  readonly name: string
  /** A folder in that folder which only we can enter. */
  readonly own: string
  readonly mark: string
  /** A socket address: relative, if the path was given like that. */
  addressOf(...names: readonly string[]): string
}

/** `limit` is the most bytes that a socket address may have. */
export async function prepareSocketFile(
  target: UnixTarget,
  mode: number,
  limit: number,
  endpoint: string,
): Promise<SocketFile> {
  let folder: Folder | undefined
  let own: string | undefined
  try {
    const { path, within } = target
    folder = within === undefined ? openFolder(dirname(path)) : openLocalFolder(within, 'listen', endpoint)
    const place = await makePlace(folder, path, (made) => (own = made))
    const bindPath = place.addressOf(basename(place.own), OWN_SOCKET)
    if (Buffer.byteLength(bindPath) > limit) throw tooLong(bindPath, limit, endpoint)
    return new File(place, bindPath, resolve(path), mode, endpoint)
  } catch (error) {
    if (own !== undefined) removePrivateFolder(own)
    folder?.close()
    throw asTransportError(error, endpoint)
  }
}

/** One that may be entered and not read cannot be held. */
function openFolder(path: string): Folder {
  try {
    return new HeldFolder(path, 'follow')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    const absolute = resolve(path)
    return {
      isPinned: false,
      at: (name) => join(absolute, name),
      isStill: () => true,
      close: () => undefined,
    }
  }
}

async function makePlace(folder: Folder, path: string, onMade: (own: string) => void): Promise<Place> {
  const mark = makerMark()
  const own = folder.at(`${PRIVATE_PREFIX}${mark}`)
  fs.mkdirSync(own, { mode: 0o700 })
  onMade(own)
  await removeLitter(folder, own)
  return {
    folder,
    name: basename(path),
    own,
    mark,
    addressOf: (...names) =>
      folder.isPinned ? join(folder.at(''), ...names) : join(dirname(path), ...names),
  }
}

/** What killed processes have left there. */
async function removeLitter(folder: Folder, own: string): Promise<void> {
  let names: string[]
  try {
    names = await fs.promises.readdir(folder.at(''))
  } catch {
    // Not readable.
    return
  }
  const paths = names.filter((name) => name.startsWith(PRIVATE_PREFIX)).map((name) => folder.at(name))
  for (const path of paths) if (basename(path).startsWith(LOCK_PREFIX)) removeDeadLock(path)
  await removeLeftovers(paths, PRIVATE_PREFIX, own)
}

class File implements SocketFile {
  readonly bindPath: string
  readonly #place: Place
  readonly #final: string
  readonly #mode: number
  readonly #endpoint: string
  #published: Identity | undefined
  #isPrepared = true

  /** `final` is the name's absolute path: the working folder may be another one by the time when it is removed. */
  constructor(place: Place, bindPath: string, final: string, mode: number, endpoint: string) {
    this.#place = place
    this.bindPath = bindPath
    this.#final = final
    this.#mode = mode
    this.#endpoint = endpoint
  }

  async publish(): Promise<void> {
    const { folder, own } = this.#place
    const temporary = join(own, OWN_SOCKET)
    try {
      fs.chmodSync(temporary, this.#mode)
      const identity = fs.lstatSync(temporary, { bigint: true })
      await takeName(temporary, this.#place, this.#endpoint)
      this.#published = identity
      if (!folder.isStill()) throw folderChanged(this.#endpoint)
    } catch (error) {
      throw asTransportError(error, this.#endpoint)
    } finally {
      this.#removeTemporary()
    }
  }

  remove(): Promise<void> {
    this.#removeTemporary()
    const there = this.#published === undefined ? undefined : look(this.#final)
    // With nothing in between: whoever has put another file there did so before.
    try {
      if (there !== undefined && isSame(there, this.#published)) fs.unlinkSync(this.#final)
    } catch {
      // The folder may be read-only by now. What stays is a stale socket, which the next listener takes over.
    }
    this.#published = undefined
    return Promise.resolve()
  }

  #removeTemporary(): void {
    if (!this.#isPrepared) return
    this.#isPrepared = false
    removePrivateFolder(this.#place.own, OWN_SOCKET, STALE_SOCKET)
    this.#place.folder.close()
  }
}

async function takeName(from: string, place: Place, endpoint: string): Promise<void> {
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
    if (answer?.code === 'EACCES' || answer?.code === 'EPERM')
      throw fromSystemError(answer, 'listening on', endpoint)
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
      moveStale(name, found, join(place.own, STALE_SOCKET))
    } finally {
      lock.release()
    }
  }
  throw takenJustNow(endpoint)
}

function asTransportError(error: unknown, endpoint: string): TransportError {
  if (error instanceof TransportError) return error
  return fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
}

function tooLong(address: string, limit: number, endpoint: string): TransportError {
  return new TransportError(
    'ERR_PATH_TOO_LONG',
    `listening on ${endpoint}: it is made under the name ${address} first, of ${String(Buffer.byteLength(address))} bytes, and the system allows ${String(limit)}. Use a shorter folder.`,
    { endpoint },
  )
}

function folderChanged(endpoint: string): TransportError {
  return new TransportError(
    'ERR_ACCESS',
    `listening on ${endpoint}: its folder was replaced meanwhile. Check who did that, and listen again.`,
    { endpoint },
  )
}

function takenJustNow(endpoint: string): TransportError {
  return new TransportError(
    'ERR_ADDRESS_IN_USE',
    `listening on ${endpoint}: another process is taking that path just now. Choose another endpoint.`,
    { endpoint },
  )
}

/** Takes the stale socket off its name; leaves the name alone if it means something else by now. */
function moveStale(name: string, stale: Identity, aside: string): void {
  const there = look(name)
  if (there === undefined || !isSame(there, stale)) return
  try {
    fs.renameSync(name, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const moved = look(aside)
  if (moved === undefined || isSame(moved, stale)) return
  // Replaced between the look and the move, by somebody who does not know the lock.
  if (moved.isDirectory()) fs.renameSync(aside, name)
  else tryLink(aside, name)
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

function look(path: string): fs.BigIntStats | undefined {
  return fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
}

function isSame(one: Identity, other: Identity | undefined): boolean {
  return one.ino === other?.ino && one.dev === other.dev
}
