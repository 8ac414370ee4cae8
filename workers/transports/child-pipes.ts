/** A child's stdin and stdout on Windows: two named pipes that are listened on until main comes and opens them. */
import { timingSafeEqual } from 'node:crypto'
import net from 'node:net'
import { fromSystemError } from '../../engine/protocol/errors.js'
import { moveHandle } from '../../engine/internals/socket-handle.js'
import { TOKEN_BYTES, type TransportTarget } from '../../engine/protocol/target.js'
import type { ShardTransport, Wire, WireOwner } from '../wire.js'
import { PairWire } from './pair-wire.js'
import { readInto } from './socket-wire.js'

type PipesTarget = Extract<TransportTarget, { kind: 'child-pipes' }>

/** What a writer reads behind the token: nothing. It has to have a place all the same. */
const nothing: net.OnReadOpts = { buffer: new Uint8Array(1), callback: () => false }

export const childPipesTransport: ShardTransport<PipesTarget> = {
  dial(target, owner) {
    const stdin = new GuardedPipe(target.stdin, target.token, nothing)
    const stdout = new GuardedPipe(target.stdout, target.token, readInto(owner))
    const abort = (): void => {
      stdin.close()
      stdout.close()
    }
    const connected = Promise.all([stdin.open, stdout.open]).then(
      () => new ArrivingWire(stdin, stdout, owner),
      (error: unknown) => {
        abort()
        throw error
      },
    )
    return { connected, abort }
  },

  listen() {
    return Promise.reject(new Error("a child's pipes cannot be listened on"))
  },
}

/** One pipe, until main has come. Others of this machine can find it and connect: they have no token. */
class GuardedPipe {
  readonly open: Promise<void>
  /** The socket is paused, and not a byte behind the token was read. Rejects if nobody can come any more. */
  readonly arrival: Promise<net.Socket>
  readonly #server: net.Server
  readonly #guests = new Set<net.Socket>()
  #refuse!: (error: Error) => void

  constructor(path: string, token: Uint8Array, afterwards: net.OnReadOpts) {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
    this.#server = server
    this.arrival = new Promise((resolve, reject) => {
      this.#refuse = reject
      server.on('connection', (accepted) => {
        const guest = moveHandle(
          accepted,
          readToken(token, afterwards, () => {
            this.#arrive(guest, resolve)
          }),
        )
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
      () => {
        this.#shut()
      },
      () => undefined,
    )
    this.open = new Promise((resolve, reject) => {
      server.on('error', (error) => {
        const explained = fromSystemError(error, 'starting', 'stdio')
        reject(explained)
        this.#refuse(error)
      })
      server.on('close', () => {
        reject(new Error('the dial was aborted'))
      })
      server.listen(path, resolve)
    })
  }

  /** Nobody needs to come any more. */
  close(): void {
    this.#refuse(new Error('the child process was given up'))
    this.#shut()
    this.arrival.then(
      (socket) => socket.destroy(),
      () => undefined,
    )
  }

  #arrive(guest: net.Socket | undefined, resolve: (socket: net.Socket) => void): void {
    if (guest === undefined) return
    this.#guests.delete(guest)
    resolve(guest)
  }

  #shut(): void {
    this.#server.close()
    for (const guest of this.#guests) guest.destroy()
  }
}

/**
 * Reads exactly the token, then stops; from the next read on `afterwards` applies. One that is wrong is never right.
 */
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

/** The wire over what will have come: what is asked of it before is done then. */
class ArrivingWire implements Wire {
  readonly halfClose = true
  readonly #stdin: GuardedPipe
  readonly #stdout: GuardedPipe
  readonly #owner: WireOwner
  #state:
    | { readonly kind: 'waiting'; readonly calls: ((wire: Wire) => void)[] }
    | { readonly kind: 'there'; readonly wire: Wire }
    | { readonly kind: 'closed' } = { kind: 'waiting', calls: [] }

  constructor(stdin: GuardedPipe, stdout: GuardedPipe, owner: WireOwner) {
    this.#stdin = stdin
    this.#stdout = stdout
    this.#owner = owner
    Promise.all([stdin.arrival, stdout.arrival]).then(
      ([writer, reader]) => {
        if (this.#state.kind !== 'waiting') return
        const { calls } = this.#state
        const wire = new PairWire(writer, reader, owner)
        // Nothing is written there: without half-close its end is the end of it.
        reader.once('end', () => reader.destroy())
        this.#state = { kind: 'there', wire }
        for (const call of calls) call(wire)
      },
      (error: unknown) => {
        this.#close(error as NodeJS.ErrnoException)
      },
    )
  }

  resume(): void {
    this.#do((wire) => {
      wire.resume()
    })
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    this.#do((wire) => {
      wire.write(first, second)
    })
  }

  end(): void {
    this.#do((wire) => {
      wire.end()
    })
  }

  destroy(): void {
    if (this.#state.kind === 'there') this.#state.wire.destroy()
    else this.#close(undefined)
  }

  #do(call: (wire: Wire) => void): void {
    if (this.#state.kind === 'there') call(this.#state.wire)
    else if (this.#state.kind === 'waiting') this.#state.calls.push(call)
  }

  #close(error: NodeJS.ErrnoException | undefined): void {
    if (this.#state.kind !== 'waiting') return
    this.#state = { kind: 'closed' }
    this.#stdin.close()
    this.#stdout.close()
    // Not from inside destroy(): the owner is still in the middle of asking for it.
    queueMicrotask(() => {
      this.#owner.onClose(error)
    })
  }
}
