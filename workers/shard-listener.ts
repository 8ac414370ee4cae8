/**
 * One listener on one shard: what it has accepted and main has not taken yet, up to a bound at which it stops
 * accepting.
 *
 * The system hands over whoever waits in one go, so main is told of many at a time: a message for each would cost both
 * threads more than all the rest of accepting.
 */
import { AcceptCounts } from '../engine/protocol/accept-log.js'
import type { ListenRequest } from '../engine/protocol/control.js'
import type { FramingSpec } from '../engine/protocol/framing.js'
import type { ListenTarget } from '../engine/protocol/target.js'
import type { AcceptedPeer, ListenHandle } from './wire.js'

/** So many are told at once at most: main begins with the first while this thread still accepts the rest. */
const MOST_TOLD_AT_ONCE = 64

/** An accepted connection until main adopts or rejects it. */
export interface WaitingPeer {
  readonly peer: AcceptedPeer
  readonly listener: ShardListener
}

/** Those of all listeners of a shard. */
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

/** What a listener needs of its shard. */
export interface ShardListenerHost {
  /** Whether main lends more lanes when those that it has lent are gone. */
  expectsLanes(): boolean
  /** Gives the connection a lane of the stock; false: there is none. */
  adopt(peer: AcceptedPeer, listener: ShardListener): boolean
  /** These wait for main. */
  accepted(acceptIds: readonly number[]): void
  paused(): void
}

export class ShardListener {
  readonly id: number
  readonly framing: FramingSpec
  readonly #maxQueued: number
  readonly #counts: AcceptCounts
  readonly #waiting: WaitingPeers
  readonly #host: ShardListenerHost
  #handle: ListenHandle | undefined
  #isAccepting = true
  /** They come next: they get a lane as soon as there is one, or main is told of them. */
  #awaiting: AcceptedPeer[] = []
  #tellsSoon = false
  /** Of how many main was told that wait for its answer. */
  #told = 0

  constructor(request: ListenRequest, waiting: WaitingPeers, host: ShardListenerHost) {
    this.id = request.listenerId
    this.framing = request.framing
    this.#maxQueued = request.maxQueued
    this.#counts = new AcceptCounts(request.counts)
    this.#waiting = waiting
    this.#host = host
  }

  get isAccepting(): boolean {
    return this.#isAccepting
  }

  /** It listens, and may have accepted somebody already. */
  onListening(handle: ListenHandle): void {
    this.#handle = handle
    this.#pauseIfFull()
  }

  onAccepted(peer: AcceptedPeer): void {
    this.#counts.addAccepted()
    if (!this.#mayHaveLane || this.#awaiting.length > 0 || !this.#host.adopt(peer, this)) this.#wait(peer)
    this.#pauseIfFull()
  }

  /** Main has lent lanes. */
  onLanes(): void {
    if (!this.#mayHaveLane) return
    let given = 0
    for (const peer of this.#awaiting) {
      if (!this.#host.adopt(peer, this)) break
      given++
    }
    this.#awaiting.splice(0, given)
  }

  /** Main has no lanes to lend: it is told of whoever awaits one, and decides. */
  onNoLanes(): void {
    if (this.#awaiting.length > 0) this.#tell()
  }

  /** Main has adopted or rejected one that it was told of. */
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

  /** Rejects whoever nobody has taken. */
  async close(): Promise<void> {
    await this.#handle?.close()
    for (const peer of this.#awaiting.splice(0)) peer.reject()
    this.#waiting.rejectAllOf(this)
  }

  /** Nobody overtakes those that main was told of. And the deadline of a frame must not run before somebody reads. */
  get #mayHaveLane(): boolean {
    return this.#told === 0 && this.framing.frameTimeoutMs === undefined
  }

  #wait(peer: AcceptedPeer): void {
    this.#awaiting.push(peer)
    if (this.#mayHaveLane && this.#host.expectsLanes()) return
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
    this.#host.accepted(acceptIds)
  }

  #pauseIfFull(): void {
    if (!this.#isAccepting || this.#handle === undefined) return
    // By what main has taken until now: its answers lie in this thread's queue while the system hands over.
    if (this.#counts.untaken < this.#maxQueued) return
    this.#isAccepting = false
    this.#handle.pause()
    this.#host.paused()
  }
}
