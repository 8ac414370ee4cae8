/**
 * A socket file that appears finished: right mode, listening, and never over somebody else's.
 *
 * `process.umask` cannot be set in workers, and between bind and chmod a socket would be open to others. So it is
 * bound under a temporary name in a folder that only the owner can enter, given its mode there, and then linked to
 * the final name: `link` fails if the name exists, so nothing is ever replaced by accident. Only a socket that
 * nobody listens on is replaced, under a lock, so that of two starters one wins.
 */
import fs from 'node:fs/promises'
import { constants } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { fromSystemError, TransportError } from '../shared/errors.js'

/** A lock this old belongs to a process that died in the few milliseconds in which it is held. */
const LOCK_STALE_MS = 10_000

export interface SocketFile {
  /** Where to bind. */
  readonly bindPath: string
  /** The socket is bound: gives it its mode and its final name. */
  publish(): Promise<void>
  /** Removes the final name if it is still ours, and what else is left. */
  remove(): Promise<void>
}

export async function prepareSocketFile(
  path: string,
  mode: number,
  limit: number,
  endpoint: string,
): Promise<SocketFile> {
  const folder = dirname(path)
  let privateFolder: string
  try {
    privateFolder = await fs.mkdtemp(join(folder, '.s-'))
  } catch (error) {
    throw fromSystemError(error as NodeJS.ErrnoException, 'listening on', endpoint)
  }
  const temporary = join(privateFolder, 's')
  // The temporary name can be too long where the final one just fits: then it is reached through a descriptor (by
  // our process id: a helper process may bind it).
  const handle =
    Buffer.byteLength(temporary) > limit ? await fs.open(privateFolder, constants.O_RDONLY) : undefined
  const bindPath = handle === undefined ? temporary : `/proc/${String(process.pid)}/fd/${String(handle.fd)}/s`
  let inode: { ino: number; dev: number } | undefined

  const removeTemporary = async (): Promise<void> => {
    await fs.rm(privateFolder, { recursive: true, force: true })
    await handle?.close().catch(() => undefined)
  }
  return {
    bindPath,
    async publish() {
      try {
        await fs.chmod(temporary, mode)
        const { ino, dev } = await fs.lstat(temporary)
        await linkOrReplace(temporary, path, endpoint)
        inode = { ino, dev }
      } finally {
        await removeTemporary()
      }
    },
    async remove() {
      await removeTemporary()
      if (inode === undefined) return
      const there = await fs.lstat(path).catch(() => undefined)
      if (there?.ino === inode.ino && there.dev === inode.dev) await fs.unlink(path).catch(() => undefined)
    },
  }
}

async function linkOrReplace(from: string, to: string, endpoint: string): Promise<void> {
  if (await tryLink(from, to, endpoint)) return
  const lock = `${to}.lock`
  await takeLock(lock, endpoint)
  try {
    await assertStaleSocket(to, endpoint)
    await fs.rename(from, to)
  } finally {
    await fs.rm(lock, { force: true })
  }
}

async function tryLink(from: string, to: string, endpoint: string): Promise<boolean> {
  try {
    await fs.link(from, to)
    return true
  } catch (error) {
    const system = error as NodeJS.ErrnoException
    if (system.code === 'EEXIST') return false
    throw fromSystemError(system, 'listening on', endpoint)
  }
}

async function takeLock(lock: string, endpoint: string): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await (await fs.open(lock, 'wx', 0o600)).close()
      return
    } catch (error) {
      const system = error as NodeJS.ErrnoException
      if (system.code !== 'EEXIST') throw fromSystemError(system, 'listening on', endpoint)
      const held = await fs.lstat(lock).catch(() => undefined)
      if (held !== undefined && Date.now() - held.mtimeMs < LOCK_STALE_MS) break
      await fs.rm(lock, { force: true })
    }
  }
  throw new TransportError(
    'ERR_ADDRESS_IN_USE',
    `listening on ${endpoint}: another process is taking that path just now. Choose another endpoint.`,
    {
      endpoint,
    },
  )
}

async function assertStaleSocket(path: string, endpoint: string): Promise<void> {
  const stat = await fs.lstat(path).catch(() => undefined)
  if (stat === undefined) return
  if (!stat.isSocket()) {
    throw new TransportError(
      'ERR_NOT_A_SOCKET',
      `listening on ${endpoint}: the path exists and is not a socket. Nothing was removed: choose another path.`,
      { endpoint },
    )
  }
  const code = await probe(path)
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return
  throw new TransportError(
    'ERR_ADDRESS_IN_USE',
    `listening on ${endpoint}: another process listens there. Stop it, or choose another endpoint.`,
    { endpoint },
  )
}

/** The error code of a connection attempt; undefined: somebody answered. */
function probe(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? 'unknown')
    })
  })
}
