/**
 * What comes before the connections of one listener: a handshake with each peer, begun as soon as it arrives. Those
 * under way and the connections that are queued are bounded together; past that, arrivals stay with their shard, which
 * stops accepting when it has too many.
 */
import { nameOf } from '../common/describe.js'
import { trace } from '../common/trace.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { HandshakeLane } from '../connection/handshake-lane.js'
import type { ConnectionIdentity, LaneConnection } from '../connection/lane-connection.js'
import type { Clock } from '../protocol/clock.js'
import type { Arrival } from '../shard/accepted-connections.js'
import type { Shard } from '../shard/shard.js'
import type { EngineListener } from './engine-listener.js'

/** A connection comes of it, or a failure; of either, the lane is done with. */
export type AcceptHandshake = (
  lane: HandshakeLane,
  settings: ConnectionSettings,
  identity: ConnectionIdentity,
) => Promise<LaneConnection>

interface AcceptHandshakeParts {
  readonly listener: EngineListener
  /** What its connections get. */
  readonly connection: ConnectionSettings
  readonly identity: ConnectionIdentity
  readonly shake: AcceptHandshake
  /** How long one may take, in milliseconds. */
  readonly timeoutMs: number
  /** How many may be under way, with the connections that are queued. */
  readonly most: number
  readonly clock: Clock
}

interface Waiting {
  readonly shard: Shard
  readonly arrival: Arrival
}

interface UnderWay {
  readonly lane: HandshakeLane
  readonly cancelTimer: () => void
}

export class AcceptHandshakes {
  readonly #parts: AcceptHandshakeParts
  readonly #underWay = new Set<UnderWay>()
  #waiting: Waiting[] = []

  constructor(parts: AcceptHandshakeParts) {
    this.#parts = parts
  }

  onArrival(shard: Shard, arrival: Arrival): void {
    this.#waiting.push({ shard, arrival })
    this.#startMore()
  }

  /** The shard has died, and with it what it had accepted. */
  onSourceLost(shard: Shard): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.shard !== shard)
    this.#startMore()
  }

  /** The listener ends. */
  giveUp(): void {
    for (const { arrival } of this.#waiting) arrival.reject()
    this.#waiting = []
    for (const handshake of this.#underWay) this.#drop(handshake)
  }

  readonly #startMore = (): void => {
    const { listener, most } = this.#parts
    while (listener.isOpen && this.#underWay.size + listener.queued < most) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#start(next)
    }
  }

  #start({ shard, arrival }: Waiting): void {
    const { listener, connection, identity, shake, timeoutMs, clock } = this.#parts
    // The shard has died, and the listener is about to hear of it.
    if (!shard.isUp) return
    let lane: HandshakeLane
    try {
      lane = arrival.shake(connection, identity)
    } catch {
      // No lane is left on that shard.
      arrival.reject()
      listener.onRefused(shard)
      return
    }
    const onTimeout = (): void => {
      this.#drop(handshake)
      this.#refuse(shard, `not over after ${String(timeoutMs)} ms`)
    }
    const cancelTimer = clock.setTimer(onTimeout, timeoutMs, { keepsAlive: false })
    const handshake: UnderWay = { lane, cancelTimer }
    this.#underWay.add(handshake)
    shake(lane, connection, identity).then(
      (ready) => {
        if (this.#drop(handshake, false)) this.#hand(shard, ready)
        // It was given up in the same moment.
        else ready.destroy()
      },
      (error: unknown) => {
        if (this.#drop(handshake)) this.#refuse(shard, nameOf(error))
      },
    )
    listener.onTaken(shard)
  }

  /** False: it was dropped before. */
  #drop(handshake: UnderWay, destroys = true): boolean {
    if (!this.#underWay.delete(handshake)) return false
    handshake.cancelTimer()
    if (destroys) handshake.lane.destroy()
    return true
  }

  #hand(shard: Shard, ready: LaneConnection): void {
    const onLeft = (): void => queueMicrotask(this.#startMore)
    this.#parts.listener.onAccepted({
      // Its shard's death does not concern what goes through shared memory.
      source: ready.info.memory === 'shared' ? ready : shard,
      adopt: () => {
        onLeft()
        return ready
      },
      reject: () => {
        onLeft()
        ready.destroy()
      },
    })
  }

  #refuse(shard: Shard, why: string): void {
    const { listener } = this.#parts
    trace('listener %s: a handshake on shard %d failed (%s)', listener.endpoint, shard.index, why)
    listener.onRefused(shard)
    this.#startMore()
  }
}
