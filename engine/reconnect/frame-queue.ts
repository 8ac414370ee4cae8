/** Frames that wait for a connection, first in, first out; what came back unsent goes before the rest. */
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'

export class FrameQueue {
  #frames: Buffer[] = []
  #next = 0
  /** Headers included: a frame without payload takes room too. */
  bytes = 0

  get length(): number {
    return this.#frames.length - this.#next
  }

  get first(): Buffer | undefined {
    return this.#frames[this.#next]
  }

  push(frame: Buffer): void {
    this.#frames.push(frame)
    this.bytes += frame.length + FRAME_HEADER_BYTES
  }

  shift(): void {
    const frame = this.#frames[this.#next]
    if (frame === undefined) return
    this.bytes -= frame.length + FRAME_HEADER_BYTES
    this.#next++
    // Not one by one: shifting a long array moves all of it.
    if (this.#next * 2 > this.#frames.length) {
      this.#frames.splice(0, this.#next)
      this.#next = 0
    }
  }

  putFirst(frames: readonly Buffer[]): void {
    this.#frames = [...frames, ...this.#frames.slice(this.#next)]
    this.#next = 0
    for (const frame of frames) this.bytes += frame.length + FRAME_HEADER_BYTES
  }

  /** Everything that waits; the queue is empty then. */
  takeAll(): Buffer[] {
    const frames = this.#frames.slice(this.#next)
    this.#frames = []
    this.#next = 0
    this.bytes = 0
    return frames
  }
}
