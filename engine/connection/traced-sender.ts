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
    return this.#traced(() => super.send(frame))
  }

  override sendBatch(frames: readonly Frame[]): boolean {
    return this.#traced(() => super.sendBatch(frames))
  }

  protected override leave(isAlone: boolean): boolean {
    this.#hops.flushed()
    const isWritten = super.leave(isAlone)
    if (isWritten) this.#hops.written()
    return isWritten
  }

  /** The first frame of a turn begins the way. */
  #traced(send: () => boolean): boolean {
    const hops = this.#hops
    if (hops.isSending) return send()
    const at = hops.now()
    const { framesSent } = this
    const hasRoom = send()
    // An empty batch begins no way.
    if (this.framesSent !== framesSent) hops.sent(at)
    return hasRoom
  }
}
