/** Sockets without a listener, and listeners that take their place without an engine. */
import fs from 'node:fs'
import net from 'node:net'
import { prepareSocketFile, type SocketFile } from '../../engine/sockets/socket-file.js'

/** Leaves a socket at the path without a listener. */
export async function leaveStaleSocket(path: string): Promise<void> {
  const server = net.createServer()
  const other = `${path}.o`
  await new Promise<void>((resolve) => server.listen(other, resolve))
  // Closing removes the name that it was bound to; the other name stays.
  fs.linkSync(other, path)
  await new Promise((resolve) => server.close(resolve))
}

/** Whether a process accepts connections there. */
export function isLive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

/** A plain server behind a socket file of ours. */
export class FileListener {
  readonly #file: SocketFile
  readonly #server: net.Server

  /** Bound and listening; the final name is taken by `publish()`. */
  static async prepare(path: string, mode = 0o600): Promise<FileListener> {
    const file = await prepareSocketFile({ kind: 'unix', path }, mode, `unix:${path}`)
    const server = net.createServer((socket) => socket.on('error', () => undefined).destroy())
    await new Promise<void>((resolve) => server.listen(file.bindPath, resolve))
    return new FileListener(file, server)
  }

  private constructor(file: SocketFile, server: net.Server) {
    this.#file = file
    this.#server = server
  }

  publish(): Promise<void> {
    return this.#file.publish()
  }

  async close(): Promise<void> {
    await this.#file.remove()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
