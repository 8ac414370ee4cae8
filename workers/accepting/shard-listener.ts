/**
 * One listener on one shard: what it has accepted and main has not taken yet, up to a bound at which it stops
 * accepting. Main learns of many at a time: a message for each would cost more than all the rest of accepting.
 */
import { AcceptCounts } from '../../engine/protocol/accept-log.js'
import type { ListenerCallbacks, ListenRequest } from '../../engine/protocol/control.js'
import type { FramingSpec } from '../../engine/protocol/framing.js'
import type { ListenTarget, TransportKind } from '../../engine/protocol/target.js'
import type { AcceptedPeer, ListenHandle } from '../shard-transport.js'

/** The most in one message: main begins with the first while this thread still accepts the rest. */
const MOST_TOLD_AT_ONCE = 64

/** The lanes that main has lent to a shard. */
export interface LaneStock {
  /** Whether main lends more when these are used up. */
  readonly expectsLanes: boolean
  /** Gives the connection a lane; false: there is none. */
  adoptFromStock(peer: AcceptedPeer, listener: ShardListener): boolean
}

export class ShardListener {
  readonly id: number
  readonly kind: TransportKind
  readonly framing: FramingSpec
  readonly #maxQueued: number
  readonly #counts: AcceptCounts
  readonly #waiting: WaitingPeers
  readonly #stock: LaneStock
  readonly #main: ListenerCallbacks
  #handle: ListenHandle | undefined
  #isAccepting = true
  /** They come next: they get a lane as soon as there is one, or main learns of them. */
  #awaiting: AcceptedPeer[] = []
  #tellsSoon = false
  /** Connections that wait for main's answer. */
  #told = 0

  constructor(request: ListenRequest, waiting: WaitingPeers, stock: LaneStock, main: ListenerCallbacks) {
    this.id = request.listenerId
    this.kind = request.target.kind
    this.framing = request.framing
    this.#maxQueued = request.maxQueued
    this.#counts = new AcceptCounts(request.counts)
    this.#waiting = waiting
    this.#stock = stock
    this.#main = main
  }

  get isAccepting(): boolean {
    return this.#isAccepting
  }

  /** It listens, and may have accepted some already. */
  onListening(handle: ListenHandle): void {
    this.#handle = handle
    this.#pauseIfFull()
  }

  onAccepted(peer: AcceptedPeer): void {
    this.#counts.addAccepted()
    if (!this.#mayHaveLane || this.#awaiting.length > 0 || !this.#stock.adoptFromStock(peer, this)) this.#wait(peer)
    this.#pauseIfFull()
  }

  /** Main has lent lanes. */
  onLanes(): void {
    if (!this.#mayHaveLane) return
    let given = 0
    for (const peer of this.#awaiting) {
      if (!this.#stock.adoptFromStock(peer, this)) break
      given++
    }
    this.#awaiting.splice(0, given)
  }

  /** Main has no lanes to lend: it decides about each connection that waits for one. */
  onNoLanes(): void {
    if (this.#awaiting.length > 0) this.#tell()
  }

  /** Main has adopted or rejected one. */
  onAnswered(): void {
    this.#told--
  }

  async resume(target: ListenTarget): Promise<void> {
    this.#isAccepting = true
    try {
      await this.#handle?.resume(target)
    } catch (error) {
      this.#isAccepting = false
      throw error
    }
  }

  /** Rejects all that main has not taken. */
  async close(): Promise<void> {
    await this.#handle?.close()
    for (const peer of this.#awaiting.splice(0)) peer.reject()
    this.#waiting.rejectAllOf(this)
  }

  /** None overtakes those that wait for main's answer. And a frame's deadline must not run before it can be read. */
  get #mayHaveLane(): boolean {
    return this.#told === 0 && this.framing.frameTimeoutMs === undefined
  }

  #wait(peer: AcceptedPeer): void {
    this.#awaiting.push(peer)
    if (this.#mayHaveLane && this.#stock.expectsLanes) return
    if (this.#awaiting.length >= MOST_TOLD_AT_ONCE) this.#tell()
    else if (!this.#tellsSoon) {
      this.#tellsSoon = true
      setImmediate(this.#tell)
    }
  }

  readonly #tell = (): void => {
    this.#tellsSoon = false
    if (this.#awaiting.length === 0) return
    const acceptIds = this.#awaiting.map((peer) => this.#waiting.add(peer, this))
    this.#awaiting = []
    this.#told += acceptIds.length
    this.#main.accepted(this.id, acceptIds)
  }

  #pauseIfFull(): void {
    if (!this.#isAccepting || this.#handle === undefined) return
    // By what main has taken until now: its answers lie in this thread's queue while the system hands over.
    if (this.#counts.untaken < this.#maxQueued) return
    this.#isAccepting = false
    this.#handle.pause()
    this.#main.paused(this.id)
  }
}

interface WaitingPeer {
  readonly peer: AcceptedPeer
  readonly listener: ShardListener
}

/** Accepted connections that main knows of and has neither adopted nor rejected, of all listeners of a shard. */
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
