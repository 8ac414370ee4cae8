/** A child's stdin and stdout: two sockets, of which one is only written and the other only read. */
import net from 'node:net'
import { fromSystemError } from '../../engine/shared/errors.js'
import type { TransportTarget } from '../../engine/shared/target.js'
import type { ShardTransport, Wire, WireOwner } from '../../engine/shared/wire.js'
import { readInto, writeSegments } from './socket-wire.js'

type StdioTarget = Extract<TransportTarget, { kind: 'stdio' }>

/**
 * Two one-way streams as one wire. They fail apart: a process that does not read its stdin any more still has something
 * to say, and what it says is read to its end.
 */
class PairWire implements Wire {
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

export const stdioTransport: ShardTransport<StdioTarget> = {
  dial(target, owner) {
    const writer = net.connect({ path: target.stdin, allowHalfOpen: true })
    const reader = net.connect({ path: target.stdout, onread: readInto(owner) })
    // Nothing is read before the lane is attached.
    reader.pause()
    const abort = (): void => {
      writer.destroy()
      reader.destroy()
    }
    const connected = Promise.all([connect(writer), connect(reader)]).then(
      () => new PairWire(writer, reader, owner),
      (error: unknown) => {
        abort()
        throw error
      },
    )
    return { connected, abort }
  },

  listen() {
    return Promise.reject(new Error('stdin and stdout cannot be listened on'))
  },
}

function connect(socket: net.Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(fromSystemError(error, 'connecting to', 'stdio'))
    }
    const onClose = (): void => {
      reject(new Error('the dial was aborted'))
    }
    socket.once('error', onError)
    // Until both are connected nobody else listens: an error of the first must not become an uncaught exception.
    socket.on('error', () => undefined)
    socket.once('close', onClose)
    socket.once('connect', () => {
      socket.off('close', onClose)
      socket.off('error', onError)
      resolve()
    })
  })
}
