/** The lanes that main looks at by itself while it is awake for their replies: a bell of the doorbell. */
import type { BellSource } from '../wake/doorbell.js'
import type { SharedLane } from './shared-lane.js'

export class PolledLanes {
  readonly #lanes = new Set<SharedLane>()
  /** For the doorbell, which has nothing to visit here by number. */
  readonly source: BellSource = {
    listener: {
      take: () => {
        for (const lane of this.#lanes) lane.poll()
      },
      park: () => {
        let isQuiet = true
        for (const lane of this.#lanes) {
          if (lane.stopPolling()) this.#lanes.delete(lane)
          else isQuiet = false
        }
        return isQuiet
      },
      unpark: () => undefined,
    },
    visit: () => undefined,
  }

  add(lane: SharedLane): void {
    this.#lanes.add(lane)
  }

  delete(lane: SharedLane): void {
    this.#lanes.delete(lane)
  }
}
