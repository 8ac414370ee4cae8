/**
 * What comes before the connections that one listener has accepted in this shard: a handshake with each peer, begun as
 * soon as it arrives. So many are under way at most, and as many peers wait for one; past that they are refused.
 */
import type { HandshakeLane } from '../../engine/connection/handshake-lane.js'
import type { LaneConnection } from '../../engine/connection/lane-connection.js'
import type { Clock } from '../../engine/protocol/clock.js'
import type { AcceptedPeer } from '../shard-transport.js'

interface ServedHandshakesHost {
  /** @throws {TransportError} No lane is left, or no memory. */
  begin(peer: AcceptedPeer): HandshakeLane
  shake(lane: HandshakeLane): Promise<LaneConnection>
  onReady(connection: LaneConnection): void
  /** Nothing comes of one. */
  onRefused(): void
}

interface Limits {
  /** How long one may take, in milliseconds. */
  readonly timeoutMs: number
  readonly most: number
}

interface UnderWay {
  readonly lane: HandshakeLane
  readonly cancelTimer: () => void
}

export class ServedHandshakes {
  readonly #host: ServedHandshakesHost
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #underWay = new Set<UnderWay>()
  #waiting: AcceptedPeer[] = []

  constructor(host: ServedHandshakesHost, limits: Limits, clock: Clock) {
    this.#host = host
    this.#limits = limits
    this.#clock = clock
  }

  onAccepted(peer: AcceptedPeer): void {
    const { most } = this.#limits
    if (this.#underWay.size < most) this.#start(peer)
    else if (this.#waiting.length < most) this.#waiting.push(peer)
    else this.#reject(peer)
  }

  /** The listener ends. */
  giveUp(): void {
    for (const peer of this.#waiting.splice(0)) this.#reject(peer)
    for (const handshake of this.#underWay) this.#drop(handshake)
  }

  #start(peer: AcceptedPeer): void {
    let lane: HandshakeLane
    try {
      lane = this.#host.begin(peer)
    } catch {
      this.#reject(peer)
      return
    }
    const onTimeout = (): void => this.#fail(handshake)
    const cancelTimer = this.#clock.setTimer(onTimeout, this.#limits.timeoutMs, { keepsAlive: false })
    const handshake: UnderWay = { lane, cancelTimer }
    this.#underWay.add(handshake)
    this.#host.shake(lane).then(
      (connection) => {
        if (this.#forget(handshake)) this.#host.onReady(connection)
        // It was given up in the same moment.
        else connection.destroy()
        this.#startMore()
      },
      () => this.#fail(handshake),
    )
  }

  #startMore(): void {
    while (this.#underWay.size < this.#limits.most) {
      const peer = this.#waiting.shift()
      if (peer === undefined) return
      this.#start(peer)
    }
  }

  #fail(handshake: UnderWay): void {
    if (!this.#drop(handshake)) return
    this.#host.onRefused()
    this.#startMore()
  }

  #drop(handshake: UnderWay): boolean {
    if (!this.#forget(handshake)) return false
    handshake.lane.destroy()
    return true
  }

  /** False: it was before. */
  #forget(handshake: UnderWay): boolean {
    if (!this.#underWay.delete(handshake)) return false
    handshake.cancelTimer()
    return true
  }

  #reject(peer: AcceptedPeer): void {
    peer.reject()
    this.#host.onRefused()
  }
}
