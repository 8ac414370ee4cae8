/**
 * Writes what a connection sends in a turn to its socket itself, if that is little and nothing before it waits. It
 * costs main one system call, as many as waking the shard would, and saves the shard's wake-up and a hand-over.
 *
 * The socket is a duplicate, main's own: whatever becomes of the shard, its number never leads to another file. Bytes
 * stay in order because the shard has handed over all that was published before, and sees none that main writes. What
 * the system does not take stays in the ring, and goes the usual way. See docs/decisions/inline-writes.md.
 */
import type { Lane } from './connection-lane.js'
import { InlineReader } from './inline-reader.js'
import type { DuplicateSocket, InlineHost } from './lane-host.js'
import type { OutRing } from './out-ring.js'
import type { PlaceHolder } from './places.js'

/** Flushes that main could have written itself, before it asks for a duplicate. */
const ASK_AFTER = 4
/** The same, after there was none to be had. */
const ASK_AGAIN_AFTER = 256

type State =
  | { readonly kind: 'counting'; flushesLeft: number }
  | { readonly kind: 'asking' }
  | { readonly kind: 'ready'; readonly socket: DuplicateSocket }
  | { readonly kind: 'closed' }

export class InlineWriter implements PlaceHolder {
  lastUse = 0
  /** Reads by the same duplicate. */
  readonly reader: InlineReader
  readonly #lane: Lane
  readonly #host: InlineHost
  readonly #out: OutRing
  #state: State = { kind: 'counting', flushesLeft: ASK_AFTER }

  constructor(lane: Lane, host: InlineHost, out: OutRing) {
    this.#lane = lane
    this.#host = host
    this.#out = out
    this.reader = new InlineReader(lane, host, () => this.close())
  }

  /** Writes what is not published, if it is little enough and may leave now. False: something is left. */
  write(): boolean {
    const { ring } = this.#out
    const length = ring.unpublished
    if (length === 0 || length > this.#lane.settings.inlineWriteBytes) return false
    // Awake, it sees what is published without a system call.
    if (!this.#host.isShardAsleep() || !this.#out.isNext()) {
      this.reader.onLeft()
      return false
    }
    const state = this.#state
    if (state.kind === 'ready') return this.#writeTo(state.socket, length)
    if (state.kind === 'counting' && --state.flushesLeft <= 0) void this.#ask()
    return false
  }

  /** Nothing is written any more; the shard reads. */
  close(): void {
    this.#leave({ kind: 'closed' })
  }

  /** Nothing is written or read any more. */
  finish(): void {
    this.reader.finish()
    this.close()
  }

  giveWay(): void {
    this.#leave({ kind: 'counting', flushesLeft: ASK_AGAIN_AFTER })
  }

  #writeTo(socket: DuplicateSocket, length: number): boolean {
    const { ring } = this.#out
    const written = socket.write(ring.slab.bytes, ring.unpublishedOffset, length)
    // Full, or broken: the shard finds out the same.
    if (written === 0) return false
    this.#out.leave(written)
    this.#host.wrote(written)
    this.#host.budget.used(this)
    if (written < length) return false
    this.reader.onWritten()
    return true
  }

  async #ask(): Promise<void> {
    if (!this.#host.budget.admit(this)) {
      this.#state = { kind: 'counting', flushesLeft: ASK_AGAIN_AFTER }
      return
    }
    const asking: State = { kind: 'asking' }
    this.#state = asking
    const socket = await this.#host.duplicate(this.#lane.grant.id)
    if (this.#state !== asking) socket?.close()
    else if (socket === undefined) this.giveWay()
    else this.#begin(socket)
  }

  #begin(socket: DuplicateSocket): void {
    this.#state = { kind: 'ready', socket }
    this.reader.gain(socket)
  }

  #leave(next: State): void {
    const state = this.#state
    if (state.kind === 'closed') return
    this.#state = next
    if (state.kind === 'counting') return
    this.reader.lose()
    if (state.kind === 'ready') state.socket.close()
    this.#host.budget.release(this)
  }
}

/** Undefined: only the shard writes. The bytes of most framings are not those of the ring. */
export function inlineWriterFor(lane: Lane, out: OutRing): InlineWriter | undefined {
  const { host, identity, settings } = lane
  const isPossible = settings.inlineWrites === 'auto' && identity.hasDescriptor && settings.framing.kind === 'length'
  return isPossible && host.inline !== undefined ? new InlineWriter(lane, host.inline, out) : undefined
}
