/** The process's stdin: a pipe, a socket or a terminal by a stream, anything else by reads of the file system. */
import fs from 'node:fs'
import net from 'node:net'
import tty from 'node:tty'
import { readerOptions } from '../../engine/internals/socket-handle.js'
import type { WireOwner } from '../wire.js'
import { readInto, whenClosed, type OnClose } from './socket-wire.js'

const STDIN = 0

export interface Input {
  /** As `Wire.resume()`. */
  resume(): void
  /** Closes at once; `onClose` follows. */
  destroy(): void
}

/** Calls the owner for what is read and for its end. Nothing is read before `resume()`. @throws The system's error. */
export function openInput(owner: WireOwner, onClose: OnClose): Input {
  const stat = fs.fstatSync(STDIN)
  const options = readerOptions(readInto(owner))
  if (tty.isatty(STDIN)) return new StreamInput(new tty.ReadStream(STDIN, options), owner, onClose)
  if (stat.isFIFO() || stat.isSocket()) {
    const socket = new net.Socket({ fd: STDIN, readable: true, writable: false, ...options })
    return new StreamInput(socket, owner, onClose)
  }
  return new FileInput(owner, onClose)
}

class StreamInput implements Input {
  readonly #socket: net.Socket

  constructor(socket: net.Socket, owner: WireOwner, onClose: OnClose) {
    this.#socket = socket
    socket.pause()
    socket.on('end', () => {
      owner.onEnd()
      socket.destroy()
    })
    whenClosed(socket, onClose)
  }

  resume(): void {
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

type State =
  /** Not resumed, or the owner has no room. */
  | { readonly kind: 'paused' }
  | { readonly kind: 'reading' }
  /** Closed while a read is under way, which cannot be cancelled. */
  | { readonly kind: 'leaving' }
  | { readonly kind: 'closed' }

class FileInput implements Input {
  readonly #owner: WireOwner
  readonly #onClose: OnClose
  #state: State = { kind: 'paused' }

  constructor(owner: WireOwner, onClose: OnClose) {
    this.#owner = owner
    this.#onClose = onClose
  }

  resume(): void {
    if (this.#state.kind === 'paused') this.#read()
  }

  destroy(): void {
    if (this.#state.kind === 'reading') this.#state = { kind: 'leaving' }
    else if (this.#state.kind === 'paused') this.#close(undefined)
  }

  #read(): void {
    this.#state = { kind: 'reading' }
    const view = this.#owner.readView()
    // From the file's own position: a script may have read the beginning.
    fs.read(STDIN, view, 0, view.length, null, (error, length) => this.#onRead(error, length))
  }

  #onRead(error: NodeJS.ErrnoException | null, length: number): void {
    if (this.#state.kind === 'leaving') {
      this.#close(undefined)
    } else if (error !== null) {
      this.#close(error)
    } else if (length === 0) {
      this.#owner.onEnd()
      this.#close(undefined)
    } else {
      this.#state = { kind: 'paused' }
      if (this.#owner.onRead(length)) this.resume()
    }
  }

  #close(error: NodeJS.ErrnoException | undefined): void {
    this.#state = { kind: 'closed' }
    queueMicrotask(() => this.#onClose(error))
  }
}
