/** A wire over a `net.Socket` whose reads land in the owner's memory: for every transport that has a libuv stream. */
import type net from 'node:net'
import { moveHandle, socketOver, type SocketHandle } from '../../engine/internals/socket-handle.js'
import type { AcceptedPeer } from '../shard-transport.js'
import type { Wire, WireOwner } from '../wire.js'
import { SocketOutput } from './socket-output.js'

export class SocketWire implements Wire {
  readonly #socket: net.Socket
  readonly #output: SocketOutput

  constructor(socket: net.Socket, owner: WireOwner) {
    this.#socket = socket
    this.#output = new SocketOutput(socket, owner)
    socket.on('end', () => owner.onEnd())
    socket.on('finish', () => owner.onFinished())
    whenClosed(socket, (error) => owner.onClose(error))
  }

  resume(): void {
    this.#socket.resume()
  }

  tryWrite(bytes: Uint8Array, offset: number, length: number): number {
    return this.#output.tryWrite(bytes, offset, length)
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    this.#output.write(first, second)
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#output.destroy()
  }

  leave(): void {
    this.#socket.destroy()
  }

  isDuplicated(): boolean {
    return this.#output.isDuplicated
  }

  writer(): SocketHandle | undefined {
    return this.#output.writer()
  }
}

/** Called last, once, with what broke the stream, if something did. */
export type OnClose = (error: NodeJS.ErrnoException | undefined) => void

export function whenClosed(socket: net.Socket, onClose: OnClose): void {
  let failure: NodeJS.ErrnoException | undefined
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('close', () => onClose(failure))
}

/** The `onread` option that makes the kernel read into the owner's memory. */
export function readInto(owner: WireOwner): net.OnReadOpts {
  return { buffer: () => owner.readView(), callback: (length: number) => owner.onRead(length) }
}

/** A connection without a socket: nothing is read from it, and its end goes unnoticed until it is adopted. */
export function unopenedPeer(handle: SocketHandle): AcceptedPeer {
  return { adopt: (owner) => new SocketWire(socketOver(handle, readInto(owner)), owner), reject: () => handle.close() }
}

/** Of a server with `pauseOnConnect`, so nothing is read yet. Where the handle cannot be moved, bytes are copied. */
export function acceptedPeer(accepted: net.Socket): AcceptedPeer {
  // Until it is adopted no one else listens: a reset must not become an uncaught exception.
  const ignore = (): void => undefined
  accepted.on('error', ignore)
  return {
    adopt(owner) {
      const socket = moveHandle(accepted, readInto(owner))
      if (socket === undefined) {
        accepted.off('error', ignore)
        const wire = new SocketWire(accepted, owner)
        copyInto(accepted, owner)
        if (accepted.destroyed) queueMicrotask(() => owner.onClose(undefined))
        return wire
      }
      return new SocketWire(socket, owner)
    },
    reject: () => accepted.destroy(),
  }
}

/** The fallback: reads by 'data' events and copies, stopping when the owner has no room. */
function copyInto(socket: net.Socket, owner: WireOwner): void {
  socket.on('data', (chunk: Buffer) => {
    let at = 0
    while (at < chunk.length) {
      const view = owner.readView()
      const length = Math.min(view.length, chunk.length - at)
      view.set(chunk.subarray(at, at + length))
      at += length
      if (owner.onRead(length)) continue
      socket.pause()
      if (at < chunk.length) socket.unshift(chunk.subarray(at))
      return
    }
  })
}
