/** A wire over two sockets, one written and one read, which fail apart: a peer that reads no more may still write. */
import type net from 'node:net'
import { handleOf, type SocketHandle } from '../../engine/internals/socket-handle.js'
import type { Dialling } from '../shard-transport.js'
import type { Wire, WireOwner } from '../wire.js'
import { endAndDestroy } from './end-and-destroy.js'
import { whenWritten, writeSegments, type OnWritten } from './socket-wire.js'

/** A dial of two streams, which connect together or not at all. */
export function dialBoth(one: Promise<void>, other: Promise<void>, abort: () => void, wire: () => Wire): Dialling {
  const connected = Promise.all([one, other]).then(wire, (error: unknown) => {
    abort()
    throw error
  })
  return { connected, abort }
}

export class PairWire implements Wire {
  readonly #writer: net.Socket
  readonly #reader: net.Socket
  #open = 2
  #error: NodeJS.ErrnoException | undefined
  /** Main may have a duplicate of the writer. */
  #isDuplicated = false
  readonly #onWritten: OnWritten

  constructor(writer: net.Socket, reader: net.Socket, owner: WireOwner) {
    this.#writer = writer
    this.#reader = reader
    this.#onWritten = whenWritten(owner)
    const onClose = (): void => {
      if (--this.#open === 0) owner.onClose(this.#error)
    }
    reader.on('end', () => owner.onEnd())
    reader.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error
      // Nothing more will come, so the peer cannot say whether it still reads.
      writer.destroy()
    })
    reader.on('close', onClose)
    writer.on('finish', () => owner.onFinished())
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
    // The other direction of this socket is unused: nothing is waited for there.
    this.#writer.end(() => this.#writer.destroy())
  }

  destroy(): void {
    if (this.#isDuplicated) endAndDestroy(this.#writer)
    else this.#writer.destroy()
    this.#reader.destroy()
  }

  writer(): SocketHandle | undefined {
    this.#isDuplicated = true
    return handleOf(this.#writer)
  }
}
