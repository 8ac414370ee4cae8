/**
 * A private place for one meeting: a socket in a folder that only we can enter, for one connection of one shard. How main
 * comes to hold one end of a socket whose other end is a shard's, since sockets cannot be passed between threads.
 */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { OWN_SOCKET, removeLeftovers } from './leftovers.js'
import { makerMark } from './maker.js'
import { removePrivateFolder } from './private-folder.js'

const PREFIX = 'symphony-'
/** Of a socket address, on every system. */
const MOST_BYTES = 103

export interface Rendezvous {
  readonly path: string
  /** Nobody needs to come any more. */
  close(): void
}

/** `onMeeting` gets main's end, paused and unread. @throws The system's error, where there is no folder to meet in. */
export function offerRendezvous(
  onMeeting: (socket: net.Socket) => void,
  onFailure: (error: Error) => void,
): Rendezvous {
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
  const folder = join(parent, `${PREFIX}${makerMark()}`)
  // There is no mark in so long a place: what is left there by a process that is killed stays.
  if (Buffer.byteLength(join(folder, OWN_SOCKET)) > MOST_BYTES) return fs.mkdtempSync(join(parent, PREFIX))
  fs.mkdirSync(folder, { mode: 0o700 })
  removeLeftoversOnce(parent, folder)
  return folder
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
