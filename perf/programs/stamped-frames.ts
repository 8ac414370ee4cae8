/** The frames that are sent, made once for each size: no stack pays for making them. */
import { STAMPS } from '../harness/messages.js'

export class StampedFrames {
  readonly #withLength: boolean
  #bytes = -1
  #frames: Buffer[] = []

  /** `withLength`: the frames carry their u32 little-endian length in front, ready for the wire. */
  constructor(withLength: boolean) {
    this.#withLength = withLength
  }

  frame(bytes: number, stamp: number): Buffer {
    if (bytes !== this.#bytes) this.#make(bytes)
    const frame = this.#frames[stamp]
    if (frame === undefined) throw new Error(`there is no stamp ${String(stamp)}`)
    return frame
  }

  #make(bytes: number): void {
    const header = this.#withLength ? 4 : 0
    this.#bytes = bytes
    this.#frames = Array.from({ length: STAMPS }, (_, stamp) => {
      const frame = Buffer.alloc(header + bytes, 1)
      if (this.#withLength) frame.writeUInt32LE(bytes)
      frame[header] = stamp
      return frame
    })
  }
}
