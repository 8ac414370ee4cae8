/** The stream that owns a connection: what it reads are received frames, what is written to it is sent. */
import { Duplex } from 'node:stream'
import type { TransportError } from '../../engine/protocol/errors.js'
import { assertPresent } from '../../engine/common/frame.js'
import type { Adaptable } from './adaptable.js'
import { endFully, waitForRoom } from './sending.js'

/** What the stream uses of one. */
export type StreamConnection = Omit<Adaptable, 'subscribe'>

export interface StreamSettings {
  readonly objectMode: boolean
  /** False: it ends its own side when the peer has ended, as a client's socket does. */
  readonly allowHalfOpen: boolean
}

export class ConnectionStream extends Duplex {
  readonly #connection: StreamConnection
  readonly #objectMode: boolean
  #reading = false
  /** The end of the peer was read. */
  #ended = false

  constructor(connection: StreamConnection, { objectMode, allowHalfOpen }: StreamSettings) {
    // Nothing is taken ahead: destroying the stream, with what has ended the connection, drops what it holds.
    super({ objectMode, allowHalfOpen, readableHighWaterMark: 0 })
    this.#connection = connection
    this.#objectMode = objectMode
    void connection.closed.then(({ code, cause }) => {
      if (cause !== undefined) this.#connectionFailed(code, cause)
    })
  }

  override _read(): void {
    if (this.#reading) return
    this.#reading = true
    this.#pull().catch((error: unknown) =>
      this.destroy(isUnexplained(error as TransportError) ? undefined : (error as Error)),
    )
  }

  override _write(chunk: Uint8Array | string, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const connection = this.#connection
    try {
      if (chunk.length === 0 && !this.#objectMode) {
        if (typeof chunk !== 'string') assertPresent(chunk, connection.info.endpoint)
        done()
      } else if (connection.send(chunk)) done()
      else waitForRoom(connection).then(() => done(), done)
    } catch (error) {
      done(error as Error)
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    endFully(this.#connection).then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const isDone = error === null && this.readableEnded && this.writableFinished
    if (isDone) void this.#connection.close()
    else this.#connection.destroy(error ?? undefined)
    void this.#connection.closed.then(({ cause }) => done(isDone ? (cause ?? null) : error))
  }

  async #pull(): Promise<void> {
    const connection = this.#connection
    for (;;) {
      const frame = await connection.receive()
      if (frame === undefined) {
        this.#ended = true
        this.push(null)
        // Without allowHalfOpen our side has ended with it, and nothing can be written any more.
        connection.ready().catch(() => this.end())
        return
      }
      // An empty chunk means nothing to a stream of bytes.
      if (frame.length === 0 && !this.#objectMode) continue
      this.received()
      if (!this.push(frame)) break
    }
    this.#reading = false
  }

  /** Called with each chunk that has come. */
  protected received(): void {
    // For those who watch whether anything comes.
  }

  #connectionFailed(code: string, cause: Error): void {
    if (isUnexplained({ code, cause: cause.cause })) {
      this.destroy()
      return
    }
    // There may be no reader and no further write: the reason comes behind what was received, or to the writing side.
    if (!this.#ended) this.read(0)
    else if (this.readableEnded) this.destroy(cause)
    else this.once('end', () => this.destroy(cause))
  }
}

/** Its owner has destroyed the connection and given no reason: that is no failure. */
function isUnexplained({ code, cause }: { readonly code: string; readonly cause?: unknown }): boolean {
  return code === 'ERR_ABORTED' && cause === undefined
}
