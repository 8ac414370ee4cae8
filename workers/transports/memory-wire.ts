/** Two wires in one shard, each the other's peer: bytes are copied from ring to ring. */
import { copyIn } from '../../engine/protocol/copy.js'
import { systemErrno } from '../../engine/protocol/system-errno.js'
import type { Wire, WireOwner } from '../wire.js'

const ECONNRESET = systemErrno('ECONNRESET')

/** What an end that was destroyed without warning looks like to the other end. */
function resetError(): NodeJS.ErrnoException {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: ECONNRESET, syscall: 'read' })
}

export class MemoryWire implements Wire {
  #owner: WireOwner | undefined
  #peer: MemoryWire | undefined
  /** What is left of the write in flight. */
  #write: Uint8Array[] | undefined
  #reading = false
  /** Its owner has taken it up, with a first `resume()`: before that it could not be told of the end. */
  #isTaken = false
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
    return this
  }

  resume(): void {
    const isFirst = !this.#isTaken
    this.#isTaken = true
    this.#reading = true
    // The other end may have been destroyed before, even while the dial of this one was not over.
    if (isFirst && this.#end !== undefined) this.#tellEnd(this.#end)
    queueMicrotask(() => this.#peer?.transfer())
  }

  tryWrite(): number {
    return 0
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    this.#write = second === undefined ? [first] : [first, second]
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
    // After its end of stream the close is clean; anything else is a reset, as with a socket.
    if (this.#outgoing === 'ended' && peer.#outgoing === 'ended') peer.#close(undefined)
    else if (this.#outgoing !== 'ended') peer.#close(resetError())
  }

  /** Moves what this end writes into the other end's memory, as far as that reads. */
  transfer(): void {
    const peer = this.#peer
    if (peer === undefined || this.#hasClosed) return
    if (peer.#hasClosed) {
      // The other end has ended and closed: ending too is clean, having more to write is not.
      const clean = peer.#outgoing === 'ended' && this.#outgoing === 'ending' && this.#write === undefined
      this.#close(clean ? undefined : resetError())
      return
    }
    const owner = peer.#owner
    while (this.#write !== undefined && peer.#reading && owner !== undefined) {
      const segment = this.#write[0]
      if (segment === undefined) {
        this.#write = undefined
        // Not from inside write(): the owner is still in the middle of its call.
        queueMicrotask(() => {
          if (!this.#hasClosed) this.#owner?.onWritten()
        })
        break
      }
      const view = owner.readView()
      const length = Math.min(view.length, segment.length)
      copyIn(view, 0, length === segment.length ? segment : segment.subarray(0, length))
      if (length === segment.length) this.#write.shift()
      else this.#write[0] = segment.subarray(length)
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
    if (this.#isTaken && owner !== undefined) queueMicrotask(() => owner.onClose(error))
  }
}
