/**
 * The socket of a connection over shared memory. It carries single bytes, each of which says "look", and its end says
 * that the peer is gone. Main has it, so that a peer wakes main without a shard in between.
 */
import { writeNow, socketOver, type SocketHandle } from '../internals/socket-handle.js'
import type { Socket } from 'node:net'

/** What is read into it is of no interest, so one serves all. */
const scratch = Buffer.alloc(64)
const look = Buffer.of(1)
/** The longest that there is. */
const SELDOM_MS = 2_147_483_647
const nothing = (): void => undefined

export interface WakeSocketEvents {
  onWake(): void
  /** Once: nothing more comes. */
  onEnd(): void
}

export class WakeSocket {
  readonly #socket: Socket
  readonly #descriptor: number
  #isKeptAlive = false
  #isClosed = false
  /** Once the socket is gone, and the connection is not: keeps the process alive in its place. */
  #stay: NodeJS.Timeout | undefined

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
    this.#socket.on('close', () => {
      if (!this.#isClosed) {
        this.#stay = setInterval(nothing, SELDOM_MS)
        this.keepAlive(this.#isKeptAlive)
      }
      events.onEnd()
    })
    this.#socket.unref()
    this.#socket.resume()
  }

  /** If the system takes no byte, so many are there already that the peer will look anyway, or the peer is gone. */
  wakePeer(): void {
    if (!this.#socket.destroyed) writeNow(this.#descriptor, look, 0, 1)
  }

  keepAlive(on: boolean): void {
    this.#isKeptAlive = on
    const holder = this.#stay ?? this.#socket
    if (on) holder.ref()
    else holder.unref()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#stay)
    this.#socket.destroy()
  }
}
