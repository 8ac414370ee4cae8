/** The process's stdout: a pipe, a socket or a terminal by a stream, anything else by writes of the file system. */
import fs from 'node:fs'
import net from 'node:net'
import tty from 'node:tty'
import type { WireOwner } from '../wire.js'
import { whenClosed, type OnClose } from './socket-wire.js'
import { SocketOutput } from './socket-output.js'

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
  if (tty.isatty(STDOUT)) return streamOutput(new tty.ReadStream(STDOUT, { allowHalfOpen: true }), owner, onClose)
  if (stat.isFIFO() || stat.isSocket()) {
    const socket = new net.Socket({ fd: STDOUT, readable: false, writable: true, allowHalfOpen: true })
    return streamOutput(socket, owner, onClose)
  }
  return new FileOutput(owner, onClose)
}

function streamOutput(socket: net.Socket, owner: WireOwner, onClose: OnClose): Output {
  const output = new SocketOutput(socket, owner)
  whenClosed(socket, onClose)
  return {
    write: (first, second) => output.write(first, second),
    // A socket's peer sees the end here, a pipe's when the descriptor is closed.
    end: () => void socket.end(() => socket.destroy()),
    destroy: () => void socket.destroy(),
  }
}

/** `leaving`: closed during a write, which cannot be cancelled. */
type State = 'idle' | 'writing' | 'leaving' | 'closed'

class FileOutput implements Output {
  readonly #owner: WireOwner
  readonly #onClose: OnClose
  #state: State = 'idle'

  constructor(owner: WireOwner, onClose: OnClose) {
    this.#owner = owner
    this.#onClose = onClose
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    if (this.#state === 'idle') this.#write(first, second)
  }

  end(): void {
    if (this.#state === 'idle') this.#close(undefined)
  }

  destroy(): void {
    if (this.#state === 'writing') this.#state = 'leaving'
    else if (this.#state === 'idle') this.#close(undefined)
  }

  #write(bytes: Uint8Array, next: Uint8Array | undefined): void {
    this.#state = 'writing'
    // At the file's own position, or at its end: others may write there before and after.
    fs.write(STDOUT, bytes, 0, bytes.length, null, (error, written) => {
      if (this.#state === 'leaving') {
        this.#close(undefined)
      } else if (error !== null) {
        this.#close(error)
      } else if (written < bytes.length) {
        this.#write(bytes.subarray(written), next)
      } else if (next !== undefined) {
        this.#write(next, undefined)
      } else {
        this.#state = 'idle'
        this.#owner.onWritten()
      }
    })
  }

  #close(error: NodeJS.ErrnoException | undefined): void {
    this.#state = 'closed'
    queueMicrotask(() => this.#onClose(error))
  }
}
