import type { Frame } from '../common/frame.js'
import type { Lane } from './connection-lane.js'
import type { LaneHops } from './lane-hops.js'
import { Sender } from './sender.js'

/** A sender whose hops are traced. */
export class TracedSender extends Sender {
  readonly #hops: LaneHops

  constructor(lane: Lane, hops: LaneHops) {
    super(lane)
    this.#hops = hops
  }

  override send(frame: Frame): boolean {
    const hops = this.#hops
    if (hops.isSending) return super.send(frame)
    const at = hops.now()
    const hasRoom = super.send(frame)
    hops.sent(at)
    return hasRoom
  }

  protected override leave(isAlone: boolean): boolean {
    this.#hops.flushed()
    const isWritten = super.leave(isAlone)
    if (isWritten) this.#hops.written()
    return isWritten
  }
}
