/** Bursts of frames, after each of which the sending thread is blocked: who sends them, and who takes them. */
import {
  stamp,
  stampOf,
  type Block,
  type BurstsOrder,
  type BurstsResult,
  type TakeOrder,
  type TakenResult,
} from '../harness/messages.js'
import { monotonicMs } from '../harness/monotonic.js'
import { blockFor } from './main-blocks.js'
import type { Peer } from './peer.js'

/** What says that a whole burst is there. */
const ANSWER_BYTES = 1

export class BurstSender {
  #onAnswer: () => void = () => undefined

  onFrame(): void {
    this.#onAnswer()
  }

  /** One after the other: the next begins once the peer has all of the last one. */
  async send(peer: Peer, { bytes, frames, count, blockMs, when }: BurstsOrder): Promise<BurstsResult> {
    peer.prepare(bytes)
    const blocks: Block[] = []
    let checksum = 0
    for (let burst = 0; burst < count; burst++) {
      const answered = new Promise<void>((resolve) => {
        this.#onAnswer = resolve
      })
      for (let frame = 0; frame < frames; frame++) {
        checksum += stamp(frame)
        // Whether there is room or not: what has none waits in this process.
        peer.send(stamp(frame))
      }
      if (when === 'a turn later') await new Promise(setImmediate)
      blocks.push(blockFor(blockMs))
      await answered
    }
    return { kind: 'bursts', blocks, frames: count * frames, checksum }
  }
}

export class BurstTaker {
  #order: TakeOrder | undefined
  #arrivals: number[] = []
  #bytes = 0
  #checksum = 0

  begin(peer: Peer, order: TakeOrder): void {
    peer.prepare(ANSWER_BYTES)
    this.#order = order
    this.#arrivals = []
    this.#bytes = this.#checksum = 0
  }

  /** @returns What all bursts came to, once they are there. */
  onFrame(peer: Peer, frame: Buffer): TakenResult | undefined {
    if (this.#order === undefined) return undefined
    const { frames, count } = this.#order
    this.#arrivals.push(monotonicMs())
    this.#bytes += frame.length
    this.#checksum += stampOf(frame)
    if (this.#arrivals.length % frames === 0) peer.send(stamp(0))
    if (this.#arrivals.length < frames * count) return undefined
    return { kind: 'taken', arrivals: this.#arrivals, bytes: this.#bytes, checksum: this.#checksum }
  }
}
