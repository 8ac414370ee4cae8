/**
 * A socket file that appears finished: with its mode, listening, and never in the place of another file.
 *
 * `process.umask` cannot be set in workers, and between bind and chmod a socket would be open to others. So it is bound
 * in a private folder, given its mode there, and then linked to the final name. See docs/decisions/socket-files.md.
 */
import fs from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fromSystemError, TransportError } from '../protocol/errors.js'
import { HeldFolder, type Folder } from '../filesystem/held-folder.js'
import { openLocalFolder } from '../filesystem/local-folder.js'
import { SOCKET_PATH_LIMIT, type UnixTarget } from '../protocol/target.js'
import { removeDeadLock } from './folder-lock.js'
import { OWN_SOCKET, removeLeftovers } from './leftovers.js'
import { creatorMark } from './creator.js'
import { makePrivateFolder, removePrivateFolder } from './private-folder.js'
import { isSame, isSameFile, LOCK_PREFIX, look, refusal, takeName, type Place } from './socket-name.js'

const PRIVATE_PREFIX = '.s-'

export async function prepareSocketFile(target: UnixTarget, mode: number, endpoint: string): Promise<SocketFile> {
  const { path, within } = target
  let folder: Folder | undefined
  let privateFolder: string | undefined
  try {
    // The working folder may be another one when the file is removed.
    const final = resolve(path)
    folder = within === undefined ? openFolder(dirname(path)) : openLocalFolder(within, 'listen', endpoint)
    const place = await makePlace(folder, path, (made) => (privateFolder = made))
    const bindPath = place.addressOf(basename(place.privateFolder), OWN_SOCKET)
    if (!isShort(bindPath)) throw tooLong(bindPath, endpoint)
    return new SocketFile(place, bindPath, final, mode, endpoint)
  } catch (error) {
    if (privateFolder !== undefined) removePrivateFolder(privateFolder)
    folder?.close()
    throw asTransportError(error, endpoint)
  }
}

/** A folder that may be entered and not read cannot be held. */
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

async function makePlace(folder: Folder, path: string, onMade: (privateFolder: string) => void): Promise<Place> {
  const mark = creatorMark()
  const fitsIn = (base: string): boolean => isShort(join(base, `${PRIVATE_PREFIX}${mark}`, OWN_SOCKET))
  const base = baseOf(folder, path, fitsIn)
  const addressOf = (...names: readonly string[]): string => join(base, ...names)
  const privateFolder = makePrivateFolder(folder.at(PRIVATE_PREFIX), fitsIn(base) ? mark : undefined)
  onMade(privateFolder)
  await removeLitter(folder, privateFolder)
  return { folder, name: basename(path), privateFolder, mark, addressOf }
}

function isShort(address: string): boolean {
  return Buffer.byteLength(address) <= SOCKET_PATH_LIMIT
}

/** How socket addresses begin: the descriptor's path, or the whole path, or the path as given if that is too long. */
function baseOf(folder: Folder, path: string, fitsIn: (base: string) => boolean): string {
  if (folder.isPinned) return folder.at('')
  const whole = resolve(path)
  const fits = isShort(whole) && fitsIn(dirname(whole))
  return dirname(fits ? whole : path)
}

/** Removes what killed processes have left there. */
async function removeLitter(folder: Folder, privateFolder: string): Promise<void> {
  let names: string[]
  try {
    names = await fs.promises.readdir(folder.at(''))
  } catch {
    // Not readable.
    return
  }
  const paths = names.filter((name) => name.startsWith(PRIVATE_PREFIX)).map((name) => folder.at(name))
  for (const path of paths) if (basename(path).startsWith(LOCK_PREFIX)) removeDeadLock(path)
  await removeLeftovers(paths, PRIVATE_PREFIX, privateFolder)
}

export class SocketFile {
  /** Where to bind. */
  readonly bindPath: string
  readonly #place: Place
  readonly #final: string
  readonly #mode: number
  readonly #endpoint: string
  #publishing: Promise<void> | undefined
  #published: fs.BigIntStats | undefined
  #isPrepared = true

  /** `final` is the name's absolute path. */
  constructor(place: Place, bindPath: string, final: string, mode: number, endpoint: string) {
    this.#place = place
    this.bindPath = bindPath
    this.#final = final
    this.#mode = mode
    this.#endpoint = endpoint
  }

  /** The one of the final name. */
  get folder(): string {
    return dirname(this.#final)
  }

  /** Gives the socket, which is bound and listens, its mode and its final name. */
  publish(): Promise<void> {
    this.#publishing = this.#publish()
    return this.#publishing
  }

  /**
   * Removes the final name if it is still this socket's, and what else is left. Call it while the socket is open: until
   * then no process takes it for stale, and the system gives its inode number to no other file.
   */
  async remove(): Promise<void> {
    // It works through the folder's descriptor, which is closed below.
    await this.#publishing?.catch(() => undefined)
    this.#removeTemporary()
    this.#removeFinal(isSame)
  }

  /** As `remove()`, at once, of a socket that is published and has closed: its number may be another file's by now. */
  removeStale(): void {
    this.#removeFinal(isSameFile)
  }

  #removeFinal(isOurs: (there: fs.BigIntStats, published: fs.BigIntStats) => boolean): void {
    const published = this.#published
    this.#published = undefined
    if (published === undefined) return
    const there = look(this.#final)
    // Right after the look, so that no other file can have been put there.
    try {
      if (there !== undefined && isOurs(there, published)) fs.unlinkSync(this.#final)
    } catch {
      // The folder may be read-only by now. A stale socket stays, which the next listener removes.
    }
  }

  async #publish(): Promise<void> {
    const { folder, privateFolder } = this.#place
    const temporary = join(privateFolder, OWN_SOCKET)
    try {
      fs.chmodSync(temporary, this.#mode)
      const identity = fs.lstatSync(temporary, { bigint: true })
      await takeName(temporary, this.#place, this.#endpoint)
      this.#published = identity
      if (folder.isStill()) return
      const message = 'its folder was replaced meanwhile. Find out by which program, and listen again.'
      throw refusal('ERR_ACCESS', this.#endpoint, message)
    } catch (error) {
      throw asTransportError(error, this.#endpoint)
    } finally {
      this.#removeTemporary()
    }
  }

  #removeTemporary(): void {
    if (!this.#isPrepared) return
    this.#isPrepared = false
    // Another program's file that could not be put back stays in it.
    removePrivateFolder(this.#place.privateFolder, OWN_SOCKET)
    this.#place.folder.close()
  }
}

function asTransportError(error: unknown, endpoint: string): TransportError {
  if (error instanceof TransportError) return error
  return fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
}

function tooLong(address: string, endpoint: string): TransportError {
  return refusal(
    'ERR_PATH_TOO_LONG',
    endpoint,
    `it is made under the name ${address} first, of ${String(Buffer.byteLength(address))} bytes, and the system allows ${String(SOCKET_PATH_LIMIT)}. Use a shorter folder.`,
  )
}
