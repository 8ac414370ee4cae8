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
  if (tty.isatty(STDIN)) return streamInput(new tty.ReadStream(STDIN, options), owner, onClose)
  if (stat.isFIFO() || stat.isSocket()) {
    const socket = new net.Socket({ fd: STDIN, readable: true, writable: false, ...options })
    return streamInput(socket, owner, onClose)
  }
  return new FileInput(owner, onClose)
}

function streamInput(socket: net.Socket, owner: WireOwner, onClose: OnClose): Input {
  socket.pause()
  socket.on('end', () => {
    owner.onEnd()
    socket.destroy()
  })
  whenClosed(socket, onClose)
  return socket
}

/** `paused`: not resumed, or the owner has no room. `leaving`: closed during a read, which cannot be cancelled. */
type State = 'paused' | 'reading' | 'leaving' | 'closed'

class FileInput implements Input {
  readonly #owner: WireOwner
  readonly #onClose: OnClose
  #state: State = 'paused'

  constructor(owner: WireOwner, onClose: OnClose) {
    this.#owner = owner
    this.#onClose = onClose
  }

  resume(): void {
    if (this.#state === 'paused') this.#read()
  }

  destroy(): void {
    if (this.#state === 'reading') this.#state = 'leaving'
    else if (this.#state === 'paused') this.#close(undefined)
  }

  #read(): void {
    this.#state = 'reading'
    const view = this.#owner.readView()
    // From the file's own position: a script may have read the beginning.
    fs.read(STDIN, view, 0, view.length, null, (error, length) => this.#onRead(error, length))
  }

  #onRead(error: NodeJS.ErrnoException | null, length: number): void {
    if (this.#state === 'leaving') {
      this.#close(undefined)
    } else if (error !== null) {
      this.#close(error)
    } else if (length === 0) {
      this.#owner.onEnd()
      this.#close(undefined)
    } else {
      this.#state = 'paused'
      if (this.#owner.onRead(length)) this.resume()
    }
  }

  #close(error: NodeJS.ErrnoException | undefined): void {
    this.#state = 'closed'
    queueMicrotask(() => this.#onClose(error))
  }
}
