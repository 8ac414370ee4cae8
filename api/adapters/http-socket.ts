/**
 * A connection as the socket that `node:http` and undici want: a stream of bytes that has, besides, those methods of
 * `net.Socket` that they call. Like a Unix socket it has no addresses.
 */
import type { Connection, ConnectionInfo } from '../../engine/common/connection.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { ConnectionStream, type StreamConnection } from './connection-stream.js'
import { waitForRoom } from './sending.js'

/** A longer chunk goes out in pieces: one frame is bounded, what an application writes at once is not. */
const PIECE_BYTES = 65_536

/** A refusal is written and the socket destroyed behind it: so much still leaves, as if the system had taken it. */
const LINGER_BYTES = 16_384
const LINGER_MS = 1_000

export interface HttpConnection extends StreamConnection, Pick<Connection, 'pendingBytes'> {
  readonly info: Pick<ConnectionInfo, 'endpoint' | 'bytesReceived' | 'bytesSent'>
  ref(): unknown
  unref(): unknown
}

export class HttpSocket extends ConnectionStream {
  readonly connecting = false
  readonly pending = false
  /** What `setTimeout()` was given, in milliseconds. */
  timeout: number | undefined
  readonly #owned: HttpConnection
  readonly #clock: Clock
  #activeAt: number
  #cancelTimer: (() => void) | undefined

  constructor(connection: HttpConnection, settings: { readonly allowHalfOpen: boolean }, clock = systemClock) {
    super(connection, { objectMode: false, allowHalfOpen: settings.allowHalfOpen })
    this.#owned = connection
    this.#clock = clock
    this.#activeAt = clock.now()
  }

  /** Payload bytes. */
  get bytesRead(): number {
    return this.#owned.info.bytesReceived
  }

  /** Payload bytes. */
  get bytesWritten(): number {
    return this.#owned.info.bytesSent
  }

  /** Emits 'timeout' after so many milliseconds in which nothing has come or left; 0: never. It closes nothing. */
  setTimeout(ms: number, onTimeout?: () => void): this {
    this.timeout = ms
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (ms > 0) {
      if (onTimeout !== undefined) this.once('timeout', onTimeout)
      this.#touch()
      this.#arm(ms)
    } else if (onTimeout !== undefined) this.off('timeout', onTimeout)
    return this
  }

  /** Does nothing: what is sent leaves at once. */
  setNoDelay(): this {
    return this
  }

  /** Does nothing: the system tells when a process of the same machine is gone. */
  setKeepAlive(): this {
    return this
  }

  ref(): this {
    this.#owned.ref()
    return this
  }

  unref(): this {
    this.#owned.unref()
    return this
  }

  address(): object {
    return {}
  }

  /** Destroys it when all has left that was written. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#touch()
    const finish = (error?: Error | null): void => {
      this.#touch()
      done(error)
    }
    if (chunk.length <= PIECE_BYTES) super._write(chunk, encoding, finish)
    else this.#writePieces(chunk).then(() => finish(), finish)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const { pendingBytes } = this.#owned
    const isShort = pendingBytes > 0 && pendingBytes <= LINGER_BYTES
    const left = isShort ? this.#owned.end({ timeoutMs: LINGER_MS }).catch(() => undefined) : undefined
    if (left === undefined) super._destroy(error, done)
    else void left.then(() => super._destroy(error, done))
  }

  protected override received(): void {
    this.#touch()
  }

  async #writePieces(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      if (!this.#owned.send(chunk.subarray(at, at + PIECE_BYTES))) await waitForRoom(this.#owned)
      this.#touch()
    }
  }

  #touch(): void {
    if (this.timeout !== undefined && this.timeout > 0) this.#activeAt = this.#clock.now()
  }

  /** A timer for each chunk would cost more: one that finds that something has happened is set again. */
  #arm(ms: number): void {
    const check = (): void => {
      this.#cancelTimer = undefined
      const { timeout = 0 } = this
      const left = this.#activeAt + timeout - this.#clock.now()
      if (left > 0) this.#arm(left)
      else {
        this.#activeAt = this.#clock.now()
        this.#arm(timeout)
        this.emit('timeout')
      }
    }
    this.#cancelTimer = this.#clock.setTimer(check, ms, { keepsAlive: false })
  }
}
