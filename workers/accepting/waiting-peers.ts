/** Accepted connections that main knows of and has neither adopted nor rejected, of all listeners of a shard. */
import type { AcceptedPeer } from '../transport.js'

/** What has accepted a peer. */
interface Acceptor {
  /** Main has taken or rejected one of its peers. */
  onAnswered(): void
}

interface WaitingPeer<Listener> {
  readonly peer: AcceptedPeer
  readonly listener: Listener
}

export class WaitingPeers<Listener extends Acceptor> {
  readonly #byId = new Map<number, WaitingPeer<Listener>>()
  #nextId = 1

  add(peer: AcceptedPeer, listener: Listener): number {
    const id = this.#nextId++
    this.#byId.set(id, { peer, listener })
    return id
  }

  take(acceptId: number): WaitingPeer<Listener> | undefined {
    const waiting = this.#byId.get(acceptId)
    if (waiting === undefined) return undefined
    this.#byId.delete(acceptId)
    waiting.listener.onAnswered()
    return waiting
  }

  rejectAllOf(listener: Listener): void {
    for (const [acceptId, waiting] of this.#byId) {
      if (waiting.listener !== listener) continue
      this.#byId.delete(acceptId)
      waiting.peer.reject()
    }
  }
}
