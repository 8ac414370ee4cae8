/** Listens for one connection, in a private folder: how main and a shard get an end each of one connected socket. */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { fromSystemError, TransportError, type Doing } from '../protocol/errors.js'
import { SOCKET_PATH_LIMIT } from '../protocol/target.js'
import { OWN_SOCKET, removeLeftovers } from './leftovers.js'
import { creatorMark } from './creator.js'
import { makePrivateFolder, removePrivateFolder } from './private-folder.js'

const PREFIX = 'symphony-'
/** What `mkdtemp` adds to a name. */
const RANDOM = 'XXXXXX'

export interface OneShotListener {
  readonly path: string
  /** No connection is needed any more. */
  close(): void
}

/**
 * `onConnection` gets main's end, paused. `parent`: where the private folder is made.
 * @throws The system's error for the folder, or ERR_PATH_TOO_LONG.
 */
export function openOneShotListener(
  onConnection: (socket: net.Socket) => void,
  onFailure: (error: Error) => void,
  parent = os.tmpdir(),
): OneShotListener {
  const folder = makeFolder(parent)
  const path = join(folder, OWN_SOCKET)
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    close()
    onConnection(socket)
  })
  const close = (): void => {
    server.close()
    removePrivateFolder(folder, OWN_SOCKET)
  }
  server.on('error', (error) => {
    close()
    onFailure(error)
  })
  try {
    // Exclusive: in a worker of the cluster module the primary would bind it otherwise.
    server.listen({ path, exclusive: true })
  } catch (error) {
    // Node's permission model refuses at once.
    close()
    throw error
  }
  server.unref()
  return { path, close }
}

/** What the caller of `doing` learns of a failure of the above. */
export function meetingFailure(error: unknown, doing: Doing, endpoint: string): TransportError {
  if (!(error instanceof TransportError)) return fromSystemError(error as NodeJS.ErrnoException, doing, endpoint)
  return new TransportError(error.code, `${doing} ${endpoint}: ${error.message}`, { cause: error, endpoint })
}

function makeFolder(parent: string): string {
  const prefix = join(parent, PREFIX)
  const mark = creatorMark()
  const hasRoom = bytesIn(prefix + mark) <= SOCKET_PATH_LIMIT
  if (!hasRoom && bytesIn(prefix + RANDOM) > SOCKET_PATH_LIMIT) throw tooLong(parent, bytesIn(prefix + RANDOM))
  const folder = makePrivateFolder(prefix, hasRoom ? mark : undefined)
  if (hasRoom) removeLeftoversOnce(parent, folder)
  return folder
}

/** Of the socket's address. */
function bytesIn(folder: string): number {
  return Buffer.byteLength(join(folder, OWN_SOCKET))
}

function tooLong(parent: string, bytes: number): TransportError {
  return new TransportError(
    'ERR_PATH_TOO_LONG',
    `the temporary folder ${parent} is too long: a socket in it has ${String(bytes)} bytes, and the system allows ${String(SOCKET_PATH_LIMIT)}. Set TMPDIR to a shorter one.`,
  )
}

const removedIn = new Set<string>()

/** Once in the life of a process: it makes many of these folders, and the parent may be a large one. */
function removeLeftoversOnce(parent: string, privateFolder: string): void {
  if (removedIn.has(parent)) return
  removedIn.add(parent)
  try {
    const paths = fs.readdirSync(parent).map((name) => join(parent, name))
    void removeLeftovers(paths, PREFIX, privateFolder)
  } catch {
    // Not readable.
  }
}
