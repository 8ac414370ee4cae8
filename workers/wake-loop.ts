/**
 * Where a shard waits for main's news: asleep until it is woken, or awake for a moment.
 *
 * Main's news of a connection that this side has dialled is most often a request, and the next one follows its reply.
 * Whoever makes one round trip after the other pays a wake-up of this thread for each, which is most of the trip. So
 * when such news comes soon after the last, the thread looks by itself in each turn of its event loop, which goes on
 * reading its sockets meanwhile, where main has found that this pays. Connections that were accepted do not keep it
 * awake: both ends would, and take each other's CPU. See docs/decisions/wake-policy.md for what was measured.
 */
import type { BellListener } from '../engine/protocol/bell.js'
import type { Clock } from '../engine/protocol/clock.js'

/** How long it looks by itself after the last news, in milliseconds: a round trip takes a fraction of it. */
const AWAKE_MS = 0.05
/**
 * News that comes later than this after the last one is none of a series: it would be paid for in CPU with nothing
 * saved.
 */
const SERIES_MS = 0.5

export class WakeLoop {
  readonly #listener: BellListener
  readonly #clock: Clock
  readonly #onWake: () => void
  readonly #visit: (laneId: number) => void
  #state: 'asleep' | 'awake' = 'asleep'
  /** News of a connection that was dialled has come since it was last asked. */
  #heard = false
  #heardAt = Number.NEGATIVE_INFINITY

  /** `onNotify` says whether this side has dialled the connection that the news is of; `onWake` is for the books. */
  constructor(listener: BellListener, clock: Clock, onNotify: (laneId: number) => boolean, onWake: () => void) {
    this.#listener = listener
    this.#clock = clock
    this.#onWake = onWake
    this.#visit = (laneId) => {
      if (onNotify(laneId)) this.#heard = true
    }
  }

  /** From here on main's news wakes the thread, by calling `wake`. */
  start(): void {
    this.#listener.park()
  }

  /** One that comes while the thread looks by itself was sent before it did. */
  readonly wake = (): void => {
    if (this.#state === 'awake') return
    this.#onWake()
    this.#look()
  }

  /** Takes what there is, and goes to sleep unless more is to be expected at once. */
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
    // What has come since is found by parking, which fails then.
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
