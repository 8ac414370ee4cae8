/** A named pipe that is listened on until main connects to it. */
import { timingSafeEqual } from 'node:crypto'
import net from 'node:net'
import { moveHandle } from '../../engine/internals/socket-handle.js'
import { fromSystemError } from '../../engine/protocol/errors.js'
import { TOKEN_BYTES } from '../../engine/protocol/target.js'

/** Others of this machine can find it and connect: they have no token. */
export class GuardedPipe {
  readonly open: Promise<void>
  /** The socket is paused, and not a byte behind the token was read. Rejects once no one can connect any more. */
  readonly arrival: Promise<net.Socket>
  readonly #server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  readonly #guests = new Set<net.Socket>()

  constructor(path: string, token: Uint8Array, afterwards: net.OnReadOpts) {
    const server = this.#server
    this.arrival = new Promise((resolve, reject) => {
      server.on('error', reject)
      server.on('close', () => reject(new Error('the child process was given up')))
      server.on('connection', (accepted) => {
        const onToken = (): void => {
          if (guest === undefined) return
          this.#guests.delete(guest)
          resolve(guest)
        }
        const guest = moveHandle(accepted, readToken(token, afterwards, onToken))
        if (guest === undefined) {
          reject(new Error("this Node does not let go of an accepted socket's handle"))
          accepted.destroy()
          return
        }
        this.#guests.add(guest)
        guest.on('error', () => undefined)
        guest.on('close', () => this.#guests.delete(guest))
        guest.resume()
      })
    })
    this.arrival.then(
      () => this.#shut(),
      () => undefined,
    )
    this.open = new Promise((resolve, reject) => {
      server.on('error', (error) => reject(fromSystemError(error, 'starting', 'stdio')))
      server.on('close', () => reject(new Error('the dial was aborted')))
      server.listen(path, resolve)
    })
  }

  /** The child was given up. */
  close(): void {
    this.#shut()
    this.arrival.then(
      (socket) => socket.destroy(),
      () => undefined,
    )
  }

  #shut(): void {
    this.#server.close()
    for (const guest of this.#guests) guest.destroy()
  }
}

/** Reads exactly the token, then stops; from the next read on `afterwards` applies. Nothing follows a wrong one. */
function readToken(token: Uint8Array, afterwards: net.OnReadOpts, onToken: () => void): net.OnReadOpts {
  const shown = new Uint8Array(TOKEN_BYTES)
  let length = 0
  const next = afterwards.buffer
  return {
    buffer: () => {
      if (length < TOKEN_BYTES) return shown.subarray(length)
      return typeof next === 'function' ? next() : next
    },
    callback: (bytes, memory) => {
      if (length === TOKEN_BYTES) return afterwards.callback(bytes, memory)
      length += bytes
      if (length < TOKEN_BYTES) return true
      if (timingSafeEqual(shown, token)) onToken()
      return false
    },
  }
}
