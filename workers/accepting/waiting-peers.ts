/** Accepted connections that main knows of and has neither adopted nor rejected, of all listeners of a shard. */
import type { AcceptedPeer } from '../transport.js'
import type { ShardListener } from './shard-listener.js'

interface WaitingPeer {
  readonly peer: AcceptedPeer
  readonly listener: ShardListener
}

export class WaitingPeers {
  readonly #byId = new Map<number, WaitingPeer>()
  #nextId = 1

  add(peer: AcceptedPeer, listener: ShardListener): number {
    const id = this.#nextId++
    this.#byId.set(id, { peer, listener })
    return id
  }

  take(acceptId: number): WaitingPeer | undefined {
    const waiting = this.#byId.get(acceptId)
    if (waiting === undefined) return undefined
    this.#byId.delete(acceptId)
    waiting.listener.onAnswered()
    return waiting
  }

  rejectAllOf(listener: ShardListener): void {
    for (const [acceptId, waiting] of this.#byId) {
      if (waiting.listener !== listener) continue
      this.#byId.delete(acceptId)
      waiting.peer.reject()
    }
  }
}
