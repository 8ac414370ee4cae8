/**
 * The socket of a connection over shared memory. It carries single bytes, each of which says "look", and its end says
 * that the peer is gone. Main has it, so that a peer wakes main without a shard in between.
 */
import { writeNow, socketOver, type SocketHandle } from '../internals/socket-handle.js'
import type { Socket } from 'node:net'

/** What is read into it is of no interest, so one serves all. */
const scratch = Buffer.alloc(64)
const look = Buffer.of(1)

export interface WakeSocketEvents {
  onWake(): void
  /** Once: nothing more comes. */
  onEnd(): void
}

export class WakeSocket {
  readonly #socket: Socket
  readonly #descriptor: number

  /** The handle is the socket's from here on. */
  constructor(handle: SocketHandle, events: WakeSocketEvents) {
    // Asking the handle for it costs as much as the rest of a write.
    this.#descriptor = handle.fd
    const callback = (): boolean => {
      events.onWake()
      return true
    }
    this.#socket = socketOver(handle, { buffer: scratch, callback })
    // 'close' follows an error, and an end that was not asked for.
    this.#socket.on('error', () => undefined)
    this.#socket.on('end', () => this.#socket.destroy())
    this.#socket.on('close', () => events.onEnd())
    this.#socket.unref()
    this.#socket.resume()
  }

  /** If the system takes no byte, so many are there already that the peer will look anyway, or the peer is gone. */
  wakePeer(): void {
    if (!this.#socket.destroyed) writeNow(this.#descriptor, look, 0, 1)
  }

  keepAlive(on: boolean): void {
    if (on) this.#socket.ref()
    else this.#socket.unref()
  }

  close(): void {
    this.#socket.destroy()
  }
}
