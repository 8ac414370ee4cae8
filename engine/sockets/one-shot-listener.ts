/**
 * A private place for one meeting: a socket in a folder that only we can enter, for one connection of one shard. How
 * main comes to hold one end of a socket whose other end is a shard's, since sockets cannot be passed between threads.
 */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { TransportError } from '../protocol/errors.js'
import { OWN_SOCKET, removeLeftovers } from './leftovers.js'
import { creatorMark } from './creator.js'
import { removePrivateFolder } from './private-folder.js'

const PREFIX = 'symphony-'
/** Of a socket address. Node cuts a longer one off in silence: the socket would lie somewhere else. */
const MOST_BYTES = process.platform === 'linux' ? 107 : 103
/** What `mkdtemp` adds to a name. */
const RANDOM = 'XXXXXX'

export interface OneShotListener {
  readonly path: string
  /** Nobody needs to come any more. */
  close(): void
}

/**
 * `onMeeting` gets main's end, paused and unread. @throws The system's error, where there is no folder to meet in, or
 * ERR_PATH_TOO_LONG.
 */
export function openOneShotListener(
  onMeeting: (socket: net.Socket) => void,
  onFailure: (error: Error) => void,
): OneShotListener {
  const folder = makeFolder()
  const path = join(folder, OWN_SOCKET)
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    close()
    onMeeting(socket)
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
    // Node's permission model says no at once.
    close()
    throw error
  }
  server.unref()
  return { path, close }
}

function makeFolder(): string {
  const parent = os.tmpdir()
  const folder = join(parent, `${PREFIX}${creatorMark()}`)
  if (lengthIn(folder) <= MOST_BYTES) {
    fs.mkdirSync(folder, { mode: 0o700 })
    removeLeftoversOnce(parent, folder)
    return folder
  }
  const bytes = lengthIn(join(parent, `${PREFIX}${RANDOM}`))
  if (bytes > MOST_BYTES) throw tooLong(parent, bytes)
  // There is no mark in so long a place: what is left there by a process that is killed stays.
  return fs.mkdtempSync(join(parent, PREFIX))
}

function lengthIn(folder: string): number {
  return Buffer.byteLength(join(folder, OWN_SOCKET))
}

function tooLong(parent: string, bytes: number): TransportError {
  return new TransportError(
    'ERR_PATH_TOO_LONG',
    `the temporary folder ${parent} is too long: a socket in it has ${String(bytes)} bytes, and the system allows ${String(MOST_BYTES)}. Set TMPDIR to a shorter one.`,
  )
}

let removedIn: string | undefined

/** Once in the life of a process: many of these folders are made, and the parent may be a large one. */
function removeLeftoversOnce(parent: string, own: string): void {
  if (removedIn === parent) return
  removedIn = parent
  try {
    const paths = fs.readdirSync(parent).map((name) => join(parent, name))
    void removeLeftovers(paths, PREFIX, own)
  } catch {
    // Not readable.
  }
}
