import type { Lane } from './connection-lane.js'
import type { LaneHops } from './lane-hops.js'
import { Receiver, type ReceiverEvents } from './receiver.js'

/** A receiver whose hops are traced. */
export class TracedReceiver extends Receiver {
  readonly #hops: LaneHops

  constructor(lane: Lane, events: ReceiverEvents, hops: LaneHops) {
    super(lane, events)
    this.#hops = hops
  }

  override onNotify(): boolean {
    // Before the consumer is given anything, and before its state is looked at: what is found here may end its reading.
    const { kind } = this.consumer.state
    if (kind === 'subscribed' || kind === 'waiting') {
      const lookedAt = this.#hops.now()
      if (this.look()) this.#hops.arrived(lookedAt)
    }
    return super.onNotify()
  }
}
