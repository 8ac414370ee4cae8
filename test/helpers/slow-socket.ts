/** A plain socket that reads by fits and starts, and remembers all that came. */
import type net from 'node:net'
import type { Random } from './random.js'
import { signal, turns } from './turns.js'

export class SlowSocket {
  readonly socket: net.Socket
  /** Resolves at the end of what comes, whether it is an end of stream or the end of the connection. */
  readonly ended: Promise<void>
  readonly #chunks: Buffer[] = []
  #isHeld = false

  /** `random`: when it stops reading, and for how many turns. Undefined: it reads without a pause. */
  constructor(socket: net.Socket, random?: Random) {
    const ended = signal()
    this.socket = socket
    this.ended = ended.promise
    socket.on('error', () => undefined)
    socket.on('end', ended.resolve)
    socket.on('close', () => ended.resolve())
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      if (random?.oneIn(3) === true) void this.#pauseFor(random.below(random.oneIn(4) ? 200 : 20))
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get length(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0)
  }

  /** Reads nothing until `release()`. */
  hold(): void {
    this.#isHeld = true
    this.socket.pause()
  }

  release(): void {
    this.#isHeld = false
    this.socket.resume()
  }

  async #pauseFor(count: number): Promise<void> {
    this.socket.pause()
    await turns(count)
    if (!this.#isHeld) this.socket.resume()
  }
}
