/** Both ends inside one engine, on one shard: a host's own tests go through real lanes without a socket. */
import { copyIn } from '../../engine/protocol/copy.js'
import { fromSystemError, TransportError } from '../../engine/protocol/errors.js'
import { systemErrno } from '../../engine/protocol/system-errno.js'
import type { TransportTarget } from '../../engine/protocol/target.js'
import type { AcceptedPeer, ShardTransport, Wire, WireOwner } from '../wire.js'

type MemoryTarget = Extract<TransportTarget, { kind: 'memory' }>

const ECONNRESET = systemErrno('ECONNRESET')

interface PendingWrite {
  readonly segments: Uint8Array[]
}

/** What an end that was destroyed without warning looks like to the other end. */
function resetError(): NodeJS.ErrnoException {
  return Object.assign(new Error('read ECONNRESET'), {
    code: 'ECONNRESET',
    errno: ECONNRESET,
    syscall: 'read',
  })
}

class MemoryWire implements Wire {
  readonly halfClose = true
  #owner: WireOwner | undefined
  #peer: MemoryWire | undefined
  #write: PendingWrite | undefined
  #reading = false
  #outgoing: 'open' | 'ending' | 'ended' = 'open'
  #end: { readonly error: NodeJS.ErrnoException | undefined } | undefined

  static pair(): [MemoryWire, MemoryWire] {
    const one = new MemoryWire()
    const other = new MemoryWire()
    one.#peer = other
    other.#peer = one
    return [one, other]
  }

  own(owner: WireOwner): this {
    this.#owner = owner
    // The other end was destroyed before anybody owned this one: it has still to be told.
    if (this.#end !== undefined) this.#tellEnd(this.#end)
    return this
  }

  resume(): void {
    this.#reading = true
    queueMicrotask(() => this.#peer?.transfer())
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    this.#write = { segments: second === undefined ? [first] : [first, second] }
    this.transfer()
  }

  end(): void {
    if (this.#outgoing === 'open') this.#outgoing = 'ending'
    this.transfer()
  }

  destroy(): void {
    this.#close(undefined)
    const peer = this.#peer
    if (peer === undefined) return
    // An end that had been announced is an end; anything else is a reset, as with a socket.
    if (this.#outgoing === 'ended' && peer.#outgoing === 'ended') peer.#close(undefined)
    else if (this.#outgoing !== 'ended') peer.#close(resetError())
  }

  /** Moves what this end has to say into the other end's memory, as far as that reads. */
  transfer(): void {
    const peer = this.#peer
    if (peer === undefined || this.#hasClosed) return
    if (peer.#hasClosed) {
      // The other end said its end and left: ending too is clean, having more to say is not.
      const clean = peer.#outgoing === 'ended' && this.#outgoing === 'ending' && this.#write === undefined
      this.#close(clean ? undefined : resetError())
      return
    }
    const owner = peer.#owner
    while (this.#write !== undefined && peer.#reading && owner !== undefined) {
      const segment = this.#write.segments[0]
      if (segment === undefined) {
        this.#write = undefined
        // Not from inside write(): the owner is still in the middle of asking for it.
        queueMicrotask(() => {
          if (!this.#hasClosed) this.#owner?.onWritten()
        })
        break
      }
      const view = owner.readView()
      const length = Math.min(view.length, segment.length)
      copyIn(view, 0, length === segment.length ? segment : segment.subarray(0, length))
      if (length === segment.length) this.#write.segments.shift()
      else this.#write.segments[0] = segment.subarray(length)
      peer.#reading = owner.onRead(length)
    }
    if (this.#outgoing === 'ending' && this.#write === undefined && peer.#reading && owner !== undefined) {
      this.#outgoing = 'ended'
      queueMicrotask(() => {
        if (!peer.#hasClosed) owner.onEnd()
        if (!this.#hasClosed) this.#owner?.onFinished()
        if (peer.#outgoing === 'ended') {
          this.#close(undefined)
          peer.#close(undefined)
        }
      })
    }
  }

  get #hasClosed(): boolean {
    return this.#end !== undefined
  }

  #close(error: NodeJS.ErrnoException | undefined): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#write = undefined
    this.#tellEnd(this.#end)
  }

  #tellEnd({ error }: { readonly error: NodeJS.ErrnoException | undefined }): void {
    const owner = this.#owner
    if (owner !== undefined) queueMicrotask(() => owner.onClose(error))
  }
}

/** A listener of this shard, and the dials that wait for it while it accepts nothing. */
interface MemoryListener {
  readonly onAccepted: (peer: AcceptedPeer) => void
  readonly backlog: number
  accepting: boolean
  waiting: (() => void)[]
}

const listeners = new Map<string, MemoryListener>()

export const memoryTransport: ShardTransport<MemoryTarget> = {
  dial(target, owner) {
    const listener = listeners.get(target.name)
    if (listener === undefined) {
      const error = new TransportError(
        'ERR_NOT_FOUND',
        `connecting to memory:${target.name}: nobody in this engine listens there. Call listen() first.`,
      )
      return { connected: Promise.reject(error), abort: () => undefined }
    }
    if (!listener.accepting && listener.waiting.length >= listener.backlog) {
      const full = Object.assign(new Error('connect EAGAIN'), { code: 'EAGAIN', syscall: 'connect' })
      const error = fromSystemError(full, 'connecting to', `memory:${target.name}`)
      return { connected: Promise.reject(error), abort: () => undefined }
    }
    const [near, far] = MemoryWire.pair()
    near.own(owner)
    const arrive = (): void => {
      listener.onAccepted({
        adopt: (farOwner) => far.own(farOwner),
        reject: () => {
          far.destroy()
        },
      })
    }
    // As with a socket: whoever waits in the backlog is connected already.
    if (listener.accepting) arrive()
    else listener.waiting.push(arrive)
    return {
      connected: Promise.resolve(near),
      abort: () => {
        near.destroy()
      },
    }
  },

  listen(target, backlog, onAccepted) {
    if (listeners.has(target.name)) {
      return Promise.reject(
        new TransportError(
          'ERR_ADDRESS_IN_USE',
          `listening on memory:${target.name}: this engine listens there already. Close that listener, or choose another name.`,
        ),
      )
    }
    const listener: MemoryListener = { onAccepted, backlog, accepting: true, waiting: [] }
    listeners.set(target.name, listener)
    const flush = (): void => {
      while (listener.accepting) {
        const arrive = listener.waiting.shift()
        if (arrive === undefined) return
        arrive()
      }
    }
    return Promise.resolve({
      pause: () => {
        listener.accepting = false
      },
      resume: () => {
        listener.accepting = true
        flush()
        return Promise.resolve()
      },
      close: () => {
        listeners.delete(target.name)
        // They are connected, so they are accepted, to be rejected with all the others that nobody took.
        listener.accepting = true
        flush()
        return Promise.resolve()
      },
    })
  },
}
