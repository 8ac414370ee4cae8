/** Listens for one connection, in a private folder: how main and a shard get an end each of one connected socket. */
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { fromSystemError, TransportError, type Doing } from '../protocol/errors.js'
import { SOCKET_PATH_LIMIT } from '../protocol/target.js'
import { OWN_SOCKET } from './leftovers.js'
import { removePrivateFolder } from './private-folder.js'
import { makeTemporaryFolder } from './temporary-folder.js'

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
  const folder = makeTemporaryFolder(parent, OWN_SOCKET, SOCKET_PATH_LIMIT)
  if (folder !== undefined) return folder
  throw new TransportError(
    'ERR_PATH_TOO_LONG',
    `the temporary folder ${parent} is too long: the path of a socket in it would have more than the ${String(SOCKET_PATH_LIMIT)} bytes that the system allows. Set TMPDIR to a shorter one.`,
  )
}
