/**
 * Main's duplicate of a socket: written to by its number, and read from by a socket over its handle, which the event
 * loop looks at while main reads. It never keeps the process alive: the lane does.
 */
import type net from 'node:net'
import { NOTHING_CAME, readNow, socketOver, writeNow, type SocketHandle } from '../internals/socket-handle.js'
import type { DuplicateReader, DuplicateSocket } from '../connection/lane-host.js'

export class Duplicate implements DuplicateSocket {
  readonly #handle: SocketHandle
  /** Asking the handle for it costs as much as all the rest around a write. */
  readonly #fd: number
  /** Undefined: nothing was read yet. */
  #socket: net.Socket | undefined

  constructor(handle: SocketHandle) {
    this.#handle = handle
    this.#fd = handle.fd
  }

  write(bytes: Uint8Array, offset: number, length: number): number {
    return this.#isLost ? 0 : writeNow(this.#fd, bytes, offset, length)
  }

  read(into: Buffer, reader: DuplicateReader): void {
    this.#socket ??= this.#open(into, reader)
    this.#socket.resume()
  }

  pause(): void {
    this.#socket?.pause()
  }

  readNow(into: Buffer): number {
    return this.#isLost ? NOTHING_CAME : readNow(this.#fd, into)
  }

  close(): void {
    if (this.#socket === undefined) this.#handle.close()
    else this.#socket.destroy()
  }

  /** A read has failed, and so Node has closed it: its number may be another file's by now. */
  get #isLost(): boolean {
    return this.#socket?.destroyed === true
  }

  #open(into: Buffer, reader: DuplicateReader): net.Socket {
    const socket = socketOver(this.#handle, { buffer: into, callback: (length) => reader.onRead(length) })
    socket.on('end', () => reader.onEnd())
    socket.on('error', ({ errno }: NodeJS.ErrnoException) => reader.onFailure(Math.abs(errno ?? 0)))
    // The first read() of a stream starts the handle; resume() calls it in the next tick, also if paused until then.
    socket.read(0)
    return socket.unref()
  }
}
