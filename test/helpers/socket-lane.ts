/** A handshake over a socket of this thread, for programs that share memory without a shard. */
import type net from 'node:net'
import type { LaneConnection } from '../../engine/connection/lane-connection.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import { FRAME_HEADER_BYTES } from '../../engine/protocol/ring-layout.js'
import type { ShakenLane } from '../../engine/shared-memory/shared-memory.js'
import { takeHandle } from './socket-handles.js'

export class SocketLane implements ShakenLane {
  readonly endpoint = 'shm:/alone'
  readonly shard = 0
  readonly #socket: net.Socket
  #bytes = Buffer.alloc(0)
  #taken: SocketHandle | undefined
  #waiting: { readonly resolve: (message: Buffer) => void; readonly reject: (error: Error) => void } | undefined

  constructor(socket: net.Socket) {
    this.#socket = socket
    socket.on('error', () => undefined)
    socket.on('close', () => this.#waiting?.reject(new Error('the socket has ended')))
    socket.on('data', (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes])
      this.#serve()
    })
  }

  send(message: Uint8Array): void {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length)
    frame.writeUInt32LE(message.length)
    frame.set(message, FRAME_HEADER_BYTES)
    this.#socket.write(frame)
  }

  receive(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#serve()
    })
  }

  /** Only the number counts until the socket is left. */
  duplicate(): Promise<SocketHandle> {
    const socket = this.#socket as unknown as { _handle: SocketHandle }
    const handle = socket._handle
    this.#taken = handle
    return Promise.resolve(handle)
  }

  leave(): Promise<void> {
    this.#socket.pause()
    if (this.#taken !== undefined) takeHandle(this.#socket)
    return Promise.resolve()
  }

  connect(): LaneConnection {
    throw new Error('no memory could be shared')
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #serve(): void {
    if (this.#waiting === undefined || this.#bytes.length < FRAME_HEADER_BYTES) return
    const end = FRAME_HEADER_BYTES + this.#bytes.readUInt32LE()
    if (this.#bytes.length < end) return
    const message = this.#bytes.subarray(FRAME_HEADER_BYTES, end)
    this.#bytes = this.#bytes.subarray(end)
    const { resolve } = this.#waiting
    this.#waiting = undefined
    resolve(message)
  }
}
