/**
 * How a shard waits for main's notifications: asleep until it is woken, or awake for a moment.
 *
 * A caller that makes one round trip after the other pays a wake-up of this thread for each, which is most of the trip.
 * So when notifications of dialled connections come in a series, and main has found that it pays, the thread looks for
 * the next one in each turn of its event loop. Accepted connections do not keep it awake: both ends would stay awake,
 * and take each other's CPU. See docs/decisions/wake-policy.md for what was measured.
 */
import type { BellListener } from '../engine/protocol/bell.js'
import type { Clock } from '../engine/protocol/clock.js'

/** How long it stays awake after a notification, in milliseconds: a round trip takes a fraction of it. */
const AWAKE_MS = 0.05
/** The longest pause within a series, in milliseconds: beyond it, being awake costs CPU and saves nothing. */
const SERIES_MS = 0.5

export class WakeLoop {
  readonly #listener: BellListener
  readonly #clock: Clock
  readonly #onWake: () => void
  readonly #visit: (laneId: number) => void
  #state: 'asleep' | 'awake' = 'asleep'
  /** A dialled connection was notified of since `#takeHeard()`. */
  #heard = false
  #heardAt = Number.NEGATIVE_INFINITY

  /** `onNotify` says whether the lane's connection was dialled; `onWake` counts wake-ups. */
  constructor(listener: BellListener, clock: Clock, onNotify: (laneId: number) => boolean, onWake: () => void) {
    this.#listener = listener
    this.#clock = clock
    this.#onWake = onWake
    this.#visit = (laneId) => {
      if (onNotify(laneId)) this.#heard = true
    }
  }

  /** From here on main's notifications call `wake`. */
  start(): void {
    this.#listener.park()
  }

  /** A wake-up that comes while the thread is awake was sent before that. */
  readonly wake = (): void => {
    if (this.#state === 'awake') return
    this.#onWake()
    this.#look()
  }

  /** Takes what there is, and goes to sleep unless more is expected at once. */
  #look(): void {
    do {
      this.#listener.take(this.#visit)
      if (this.#isSeries()) {
        this.#state = 'awake'
        setImmediate(this.#turn)
        return
      }
    } while (!this.#listener.park())
  }

  readonly #turn = (): void => {
    this.#listener.take(this.#visit)
    const now = this.#clock.now()
    if (this.#takeHeard()) this.#heardAt = now
    if (this.#listener.isKeptAwake && now - this.#heardAt < AWAKE_MS) {
      setImmediate(this.#turn)
      return
    }
    this.#state = 'asleep'
    // Parking fails if more has come since.
    if (!this.#listener.park()) this.#look()
  }

  #isSeries(): boolean {
    if (!this.#takeHeard() || !this.#listener.isKeptAwake) return false
    const now = this.#clock.now()
    const since = now - this.#heardAt
    this.#heardAt = now
    return since < SERIES_MS
  }

  #takeHeard(): boolean {
    const heard = this.#heard
    this.#heard = false
    return heard
  }
}
