/**
 * A socket file that appears finished: right mode, listening, and never over somebody else's.
 *
 * `process.umask` cannot be set in workers, and between bind and chmod a socket would be open to others. So it is
 * bound under a temporary name in a folder that only the owner can enter, given its mode there, and then linked to
 * the final name. See docs/decisions/socket-files.md.
 */
import fs from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fromSystemError, TransportError } from '../protocol/errors.js'
import { HeldFolder, type Folder } from '../filesystem/held-folder.js'
import { openLocalFolder } from '../filesystem/local-folder.js'
import type { UnixTarget } from '../protocol/target.js'
import { removeDeadLock } from './folder-lock.js'
import { OWN_SOCKET, removeLeftovers } from './leftovers.js'
import { creatorMark } from './creator.js'
import { removePrivateFolder } from './private-folder.js'
import { isSame, LOCK_PREFIX, look, takeName, type Identity, type Place } from './socket-name.js'

const PRIVATE_PREFIX = '.s-'

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

/** `limit` is the most bytes that a socket address may have. */
export async function prepareSocketFile(
  target: UnixTarget,
  mode: number,
  limit: number,
  endpoint: string,
): Promise<SocketFile> {
  const { path, within } = target
  let folder: Folder | undefined
  let own: string | undefined
  try {
    // The working folder may be another one by the time when the file is removed.
    const final = resolve(path)
    folder = within === undefined ? openFolder(dirname(path)) : openLocalFolder(within, 'listen', endpoint)
    const place = await makePlace(folder, path, limit, (made) => (own = made))
    const bindPath = place.addressOf(basename(place.own), OWN_SOCKET)
    if (Buffer.byteLength(bindPath) > limit) throw tooLong(bindPath, limit, endpoint)
    return new File(place, bindPath, final, mode, endpoint)
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

async function makePlace(folder: Folder, path: string, limit: number, onMade: (own: string) => void): Promise<Place> {
  const mark = creatorMark()
  const marked = `${PRIVATE_PREFIX}${mark}`
  const fitsIn = (base: string): boolean => Buffer.byteLength(join(base, marked, OWN_SOCKET)) <= limit
  const base = baseOf(folder, path, limit, fitsIn)
  const addressOf = (...names: readonly string[]): string => join(base, ...names)
  const fits = fitsIn(base)
  // In so long a place there is room for a short name at most: what is left under it by a process that is killed stays.
  const own = fits ? folder.at(marked) : fs.mkdtempSync(folder.at(PRIVATE_PREFIX))
  if (fits) fs.mkdirSync(own, { mode: 0o700 })
  onMade(own)
  await removeLitter(folder, own)
  return { folder, name: basename(path), own, mark, addressOf }
}

/**
 * What socket addresses begin with: where the folder has no short path of its own, its path as given if the whole one
 * is too long.
 */
function baseOf(folder: Folder, path: string, limit: number, fitsIn: (base: string) => boolean): string {
  if (folder.isPinned) return folder.at('')
  const whole = resolve(path)
  const fits = Buffer.byteLength(whole) <= limit && fitsIn(dirname(whole))
  return dirname(fits ? whole : path)
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
  #publishing: Promise<void> | undefined
  #published: Identity | undefined
  #isPrepared = true

  /** `final` is the name's absolute path. */
  constructor(place: Place, bindPath: string, final: string, mode: number, endpoint: string) {
    this.#place = place
    this.bindPath = bindPath
    this.#final = final
    this.#mode = mode
    this.#endpoint = endpoint
  }

  publish(): Promise<void> {
    this.#publishing = this.#publish()
    return this.#publishing
  }

  async remove(): Promise<void> {
    // What it does by way of the folder's descriptor it would do somewhere else once that is closed.
    await this.#publishing?.catch(() => undefined)
    this.#removeTemporary()
    const there = this.#published === undefined ? undefined : look(this.#final)
    // With nothing in between: whoever has put another file there did so before.
    try {
      if (there !== undefined && isSame(there, this.#published)) fs.unlinkSync(this.#final)
    } catch {
      // The folder may be read-only by now. What stays is a stale socket, which the next listener takes over.
    }
    this.#published = undefined
  }

  async #publish(): Promise<void> {
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

  #removeTemporary(): void {
    if (!this.#isPrepared) return
    this.#isPrepared = false
    // A file of somebody else's that could not be put back stays in it.
    removePrivateFolder(this.#place.own, OWN_SOCKET)
    this.#place.folder.close()
  }
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
