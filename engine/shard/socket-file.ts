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
 * and of those who want to move one stale socket only one holds the lock. The lock is an abstract socket named after
 * that very file: no file that could be mistaken, forged through a link or left behind, and gone with its process.
 * Where abstract sockets do not exist, or are not shared (network namespaces), the first guard stands alone.
 */
import fs from 'node:fs'
import net from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'
import { fromSystemError, TransportError } from '../shared/errors.js'
import { removePrivateFolder } from './private-folder.js'

/** How often the name may change hands under us before we say that it is in use. */
const ATTEMPTS = 8

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

export function prepareSocketFile(
  path: string,
  mode: number,
  limit: number,
  endpoint: string,
): Promise<SocketFile> {
  return Promise.resolve().then(() => prepare(path, mode, limit, endpoint))
}

function prepare(path: string, mode: number, limit: number, endpoint: string): SocketFile {
  // The working folder may be another one by the time when the file is removed.
  const final = resolve(path)
  let privateFolder: string
  try {
    privateFolder = fs.mkdtempSync(join(dirname(final), '.s-'))
  } catch (error) {
    throw fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
  }
  const temporary = join(privateFolder, 's')
  let fd: number | undefined
  // As short as the path was given: only this one is a socket address.
  let bindPath = join(dirname(path), basename(privateFolder), 's')
  try {
    // The temporary name can be too long where the final one just fits: then it is reached through a descriptor.
    if (Buffer.byteLength(bindPath) > limit) {
      fd = fs.openSync(privateFolder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
      bindPath = `/proc/${String(process.pid)}/fd/${String(fd)}/s`
    }
  } catch (error) {
    removePrivateFolder(privateFolder, 's', 'stale')
    throw fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
  }
  let published: Identity | undefined

  const removeTemporary = (): void => {
    if (fd !== undefined) fs.closeSync(fd)
    fd = undefined
    removePrivateFolder(privateFolder, 's', 'stale')
  }
  return {
    bindPath,
    async publish() {
      try {
        fs.chmodSync(temporary, mode)
        const identity = fs.lstatSync(temporary, { bigint: true })
        await takeName(temporary, path, join(privateFolder, 'stale'), endpoint)
        published = identity
      } catch (error) {
        throw error instanceof TransportError
          ? error
          : fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
      } finally {
        removeTemporary()
      }
    },
    remove() {
      removeTemporary()
      const there = published === undefined ? undefined : look(final)
      // With nothing in between: whoever has put another file there did so before.
      try {
        if (there !== undefined && isSame(there, published)) fs.unlinkSync(final)
      } catch {
        // The folder may be read-only by now. What stays is a stale socket, which the next listener takes over.
      }
      published = undefined
      return Promise.resolve()
    },
  }
}

async function takeName(from: string, name: string, aside: string, endpoint: string): Promise<void> {
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
    const answer = await probe(name)
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
    const lock = await tryLock(found)
    if (lock === undefined) throw takenJustNow(endpoint)
    try {
      moveStale(name, found, aside)
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

interface Lock {
  release(): void
}

/** Undefined: somebody else has it. */
function tryLock(stale: fs.BigIntStats): Promise<Lock | undefined> {
  if (process.platform !== 'linux') return Promise.resolve({ release: () => undefined })
  const { dev, ino, ctimeNs } = stale
  const path = `\0symphony-transport/stale/${String(dev)}-${String(ino)}-${String(ctimeNs)}`
  return new Promise((resolveLock, reject) => {
    const server = net.createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolveLock(undefined)
      else reject(error)
    })
    // Exclusive: workers of the cluster module would share it otherwise.
    server.listen({ path, exclusive: true }, () => {
      resolveLock({ release: () => void server.close() })
    })
  })
}

/** The error of a connection attempt; undefined: somebody answered. */
function probe(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolveProbe) => {
    const socket = net.connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolveProbe(undefined)
    })
    socket.once('error', resolveProbe)
  })
}
