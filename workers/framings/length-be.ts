/** u32 big-endian payload length, then the payload. */
import { FramingFault, PREVIEW_BYTES, type FramingSpec } from '../../engine/protocol/framing.js'
import type { Codec, Decoder, Encoder, FrameSink } from './codec.js'

const HEADER_BYTES = 4

class LengthBeDecoder implements Decoder {
  readonly #spec: FramingSpec
  /** Bytes of the current payload that have not come. 0: a header comes, or the rest of one. */
  #missing = 0
  /** Bytes of a header that came in pieces, and their value. */
  #have = 0
  #value = 0

  constructor(spec: FramingSpec) {
    this.#spec = spec
  }

  get holdsBack(): boolean {
    return this.#have > 0
  }

  push(chunk: Buffer, sink: FrameSink): void {
    const { length } = chunk
    let at = 0
    while (at < length) {
      if (this.#missing > 0) {
        const end = Math.min(length, at + this.#missing)
        sink.payload(chunk, at, end)
        this.#missing -= end - at
        at = end
        continue
      }
      this.#value = this.#value * 256 + (chunk[at] ?? 0)
      at++
      if (++this.#have < HEADER_BYTES) continue
      const announced = this.#value
      this.#have = 0
      this.#value = 0
      if (announced > this.#spec.maxFrameBytes) {
        // On to main, which sees by the length and what follows whether it is one. Never a whole frame.
        sink.begin(announced)
        sink.payload(chunk, at, Math.min(length, at + Math.min(PREVIEW_BYTES, announced - 1)))
        throw new FramingFault('ERR_FRAME_TOO_LARGE')
      }
      if (length - at >= announced) {
        sink.frame(chunk, at, at + announced)
        at += announced
      } else {
        sink.begin(announced)
        this.#missing = announced
      }
    }
  }

  end(): void {
    if (this.#missing > 0 || this.#have > 0) throw new FramingFault('ERR_TRUNCATED')
  }
}

const encoder: Encoder = {
  overhead: HEADER_BYTES,
  prefix: (length, target, at) => {
    target[at] = length >>> 24
    target[at + 1] = length >>> 16
    target[at + 2] = length >>> 8
    target[at + 3] = length
    return at + HEADER_BYTES
  },
  suffix: (_target, at) => at,
}

export function lengthBeCodec(spec: FramingSpec): Codec {
  return { decoder: new LengthBeDecoder(spec), encoder }
}
