/**
 * A private place for one meeting: a socket in a folder that only we can enter, for one connection of one shard. How main
 * comes to hold one end of a socket whose other end is a shard's, since sockets cannot be passed between threads.
 */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { removePrivateFolder } from './private-folder.js'

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
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'symphony-'))
  const path = join(folder, 's')
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    close()
    onMeeting(socket)
  })
  const close = (): void => {
    server.close()
    removePrivateFolder(folder, 's')
  }
  server.on('error', (error) => {
    close()
    onFailure(error)
  })
  server.listen(path)
  server.unref()
  return { path, close }
}
