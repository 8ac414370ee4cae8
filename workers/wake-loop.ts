/** How a shard takes main's notifications: it sleeps until it is woken, and then until it has seen all of them. */
import type { BellListener } from '../engine/protocol/bell.js'

export class WakeLoop {
  readonly #listener: BellListener
  readonly #onNotify: (laneId: number) => void
  readonly #onWake: () => void

  /** `onWake` counts wake-ups. */
  constructor(listener: BellListener, onNotify: (laneId: number) => void, onWake: () => void) {
    this.#listener = listener
    this.#onNotify = onNotify
    this.#onWake = onWake
  }

  /** From here on main's notifications call `wake`. */
  start(): void {
    this.#listener.park()
  }

  readonly wake = (): void => {
    this.#onWake()
    // Parking fails if more has come since.
    do this.#listener.take(this.#onNotify)
    while (!this.#listener.park())
  }
}
