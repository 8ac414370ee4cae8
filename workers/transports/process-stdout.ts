/** The process's stdout: a pipe, a socket or a terminal by a stream, anything else by writes of the file system. */
import fs from 'node:fs'
import net from 'node:net'
import tty from 'node:tty'
import type { WireOwner } from '../wire.js'
import { whenClosed, whenWritten, writeSegments, type OnClose, type OnWritten } from './socket-wire.js'

const STDOUT = 1

export interface Output {
  /** As `Wire.write()`. */
  write(first: Uint8Array, second: Uint8Array | undefined): void
  /** Everything has been written; `onClose` follows. */
  end(): void
  /** Closes at once; `onClose` follows. */
  destroy(): void
}

/** Calls the owner's `onWritten`. @throws The system's error. */
export function openOutput(owner: WireOwner, onClose: OnClose): Output {
  const stat = fs.fstatSync(STDOUT)
  // Not a WriteStream: that one blocks the thread, and every connection on it, while the terminal is halted.
  if (tty.isatty(STDOUT)) return new StreamOutput(new tty.ReadStream(STDOUT, { allowHalfOpen: true }), owner, onClose)
  if (stat.isFIFO() || stat.isSocket()) {
    const socket = new net.Socket({ fd: STDOUT, readable: false, writable: true, allowHalfOpen: true })
    return new StreamOutput(socket, owner, onClose)
  }
  return new FileOutput(owner, onClose)
}

class StreamOutput implements Output {
  readonly #socket: net.Socket
  readonly #onWritten: OnWritten

  constructor(socket: net.Socket, owner: WireOwner, onClose: OnClose) {
    this.#socket = socket
    this.#onWritten = whenWritten(owner)
    whenClosed(socket, onClose)
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    writeSegments(this.#socket, first, second, this.#onWritten)
  }

  end(): void {
    // A socket's peer sees the end here, a pipe's when the descriptor is closed.
    this.#socket.end(() => this.#socket.destroy())
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'writing' }
  /** Closed while a write is under way, which cannot be cancelled. */
  | { readonly kind: 'leaving' }
  | { readonly kind: 'closed' }

class FileOutput implements Output {
  readonly #owner: WireOwner
  readonly #onClose: OnClose
  #state: State = { kind: 'idle' }

  constructor(owner: WireOwner, onClose: OnClose) {
    this.#owner = owner
    this.#onClose = onClose
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    if (this.#state.kind === 'idle') this.#write(first, second)
  }

  end(): void {
    if (this.#state.kind === 'idle') this.#close(undefined)
  }

  destroy(): void {
    if (this.#state.kind === 'writing') this.#state = { kind: 'leaving' }
    else if (this.#state.kind === 'idle') this.#close(undefined)
  }

  #write(bytes: Uint8Array, next: Uint8Array | undefined): void {
    this.#state = { kind: 'writing' }
    // At the file's own position, or at its end: others may write there before and after.
    fs.write(STDOUT, bytes, 0, bytes.length, null, (error, written) => {
      if (this.#state.kind === 'leaving') {
        this.#close(undefined)
      } else if (error !== null) {
        this.#close(error)
      } else if (written < bytes.length) {
        this.#write(bytes.subarray(written), next)
      } else if (next !== undefined) {
        this.#write(next, undefined)
      } else {
        this.#state = { kind: 'idle' }
        this.#owner.onWritten()
      }
    })
  }

  #close(error: NodeJS.ErrnoException | undefined): void {
    this.#state = { kind: 'closed' }
    queueMicrotask(() => this.#onClose(error))
  }
}
