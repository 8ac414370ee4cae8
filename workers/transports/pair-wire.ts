/** A wire over two sockets, one written and one read, which fail apart: a peer that reads no more may still write. */
import type net from 'node:net'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import type { Dialling } from '../shard-transport.js'
import type { Wire, WireOwner } from '../wire.js'
import { SocketOutput } from './socket-output.js'

/** A dial of two streams, which connect together or not at all. */
export function dialBoth(one: Promise<void>, other: Promise<void>, abort: () => void, wire: () => Wire): Dialling {
  const connected = Promise.all([one, other]).then(wire, (error: unknown) => {
    abort()
    throw error
  })
  return { connected, abort }
}

export class PairWire implements Wire {
  readonly #output: SocketOutput
  readonly #writer: net.Socket
  readonly #reader: net.Socket
  #open = 2
  #error: NodeJS.ErrnoException | undefined

  constructor(writer: net.Socket, reader: net.Socket, owner: WireOwner) {
    this.#output = new SocketOutput(writer, owner)
    this.#writer = writer
    this.#reader = reader
    const onClose = (): void => {
      if (--this.#open === 0) owner.onClose(this.#error)
    }
    reader.on('end', () => owner.onEnd())
    reader.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error
      // Nothing more will come, so the peer cannot say whether it still reads.
      this.#output.destroy()
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

  tryWrite(bytes: Uint8Array, offset: number, length: number): number {
    return this.#output.tryWrite(bytes, offset, length)
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    this.#output.write(first, second)
  }

  end(): void {
    // The other direction of this socket is unused: nothing is waited for there.
    this.#writer.end(() => this.#writer.destroy())
  }

  destroy(): void {
    this.#output.destroy()
    this.#reader.destroy()
  }

  writer(): SocketHandle | undefined {
    return this.#output.writer()
  }
}
