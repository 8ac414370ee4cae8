/**
 * The outgoing side of a `net.Socket`. What Node does around a write costs several times what the system call does, so
 * a little is given to the kernel directly, as long as the kernel takes it and nothing waits in the socket.
 */
import type net from 'node:net'
import { descriptorOf, handleOf, writeNow, type SocketHandle } from '../../engine/internals/socket-handle.js'
import { MAX_TRIED_BYTES, type WireOwner } from '../wire.js'

export class SocketOutput {
  readonly #socket: net.Socket
  readonly #fd: number | undefined
  readonly #onWritten: (error?: Error | null) => void
  /**
   * The kernel did not take all of a try. Until a write has completed another try would fail too, which Node reports
   * with an error and its stack: that takes longer than the write.
   */
  #isFull = false
  #isDuplicated = false

  /** Calls the owner's `onWritten`. */
  constructor(socket: net.Socket, owner: WireOwner) {
    this.#socket = socket
    this.#fd = descriptorOf(socket)
    this.#onWritten = (error) => {
      // A failed write is followed by 'error' and 'close', which end the lane; only success moves it on.
      if (error !== undefined && error !== null) return
      this.#isFull = false
      owner.onWritten()
    }
  }

  /** As `Wire.tryWrite()`. Windows has no descriptor that could be written to. */
  tryWrite(bytes: Uint8Array, offset: number, length: number): number {
    const socket = this.#socket
    if (this.#isFull || length > MAX_TRIED_BYTES || socket.writableLength !== 0 || !socket.writable) return 0
    // A socket that has closed its descriptor is not writable. The usual write meets an error again, and reports it.
    const taken = this.#fd === undefined ? 0 : writeNow(this.#fd, bytes, offset, length)
    this.#isFull = taken < length
    return taken
  }

  /** As `Wire.writer()`. Main may have a duplicate from now on. */
  writer(): SocketHandle | undefined {
    this.#isDuplicated = true
    return handleOf(this.#socket)
  }

  /** Whether `writer()` was asked. */
  get isDuplicated(): boolean {
    return this.#isDuplicated
  }

  /**
   * Closes at once. While a duplicate is on its way to main, closing this descriptor ends nothing for the peer, and
   * main may be busy for any time: so what is written is ended first.
   */
  destroy(): void {
    const socket = this.#socket
    // Behind bytes that the peer does not take, the end would have to wait for it.
    if (!this.#isDuplicated || socket.writableEnded || socket.writableLength > 0) socket.destroy()
    else socket.end(() => socket.destroy())
  }

  /** As `Wire.write()`. Both segments go to the kernel in one call. */
  write(first: Uint8Array, second: Uint8Array | undefined): void {
    const socket = this.#socket
    if (second === undefined) {
      socket.write(first, this.#onWritten)
      return
    }
    socket.cork()
    socket.write(first)
    socket.write(second, this.#onWritten)
    socket.uncork()
  }
}
