/** A wire over two sockets, of which one is only written and the other only read. */
import type net from 'node:net'
import type { Wire, WireOwner } from '../wire.js'
import { writeSegments } from './socket-wire.js'

/**
 * Two one-way streams as one wire. They fail apart: a process that does not read its stdin any more still has something
 * to say, and what it says is read to its end.
 */
export class PairWire implements Wire {
  readonly halfClose = true
  readonly #writer: net.Socket
  readonly #reader: net.Socket
  #open = 2
  #error: NodeJS.ErrnoException | undefined
  readonly #onWritten: (error?: Error | null) => void

  constructor(writer: net.Socket, reader: net.Socket, owner: WireOwner) {
    this.#writer = writer
    this.#reader = reader
    this.#onWritten = (error) => {
      if (error === undefined || error === null) owner.onWritten()
    }
    const onClose = (): void => {
      if (--this.#open === 0) owner.onClose(this.#error)
    }
    reader.on('end', () => {
      owner.onEnd()
    })
    reader.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error
      // Nothing will come any more: there is no telling whether anybody listens.
      writer.destroy()
    })
    reader.on('close', onClose)
    writer.on('finish', () => {
      owner.onFinished()
    })
    writer.on('error', (error: NodeJS.ErrnoException) => {
      this.#error ??= error
      owner.onWriteFailed()
    })
    writer.on('close', onClose)
  }

  resume(): void {
    this.#reader.resume()
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    writeSegments(this.#writer, first, second, this.#onWritten)
  }

  end(): void {
    // The other direction of this socket is used by nobody: nothing is waited for there.
    this.#writer.end(() => {
      this.#writer.destroy()
    })
  }

  destroy(): void {
    this.#writer.destroy()
    this.#reader.destroy()
  }
}
