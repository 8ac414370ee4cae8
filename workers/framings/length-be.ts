/** u32 big-endian payload length, then the payload. */
import { FramingFault, type FramingSpec } from '../../engine/shared/framing.js'
import type { Codec, Decoder, Encoder, FrameSink } from './codec.js'

const HEADER_BYTES = 4

type State =
  | { readonly kind: 'header'; readonly have: number; readonly value: number }
  | { readonly kind: 'payload'; readonly missing: number }

const BOUNDARY: State = { kind: 'header', have: 0, value: 0 }

class LengthBeDecoder implements Decoder {
  readonly #spec: FramingSpec
  #state: State = BOUNDARY

  constructor(spec: FramingSpec) {
    this.#spec = spec
  }

  push(chunk: Buffer, sink: FrameSink): void {
    let at = 0
    while (at < chunk.length) {
      const state = this.#state
      if (state.kind === 'payload') {
        const end = Math.min(chunk.length, at + state.missing)
        sink.payload(chunk, at, end)
        const missing = state.missing - (end - at)
        this.#state = missing === 0 ? BOUNDARY : { kind: 'payload', missing }
        at = end
        continue
      }
      if (state.have === 0 && chunk.length - at >= HEADER_BYTES) {
        at = this.#begin(chunk.readUInt32BE(at), at + HEADER_BYTES, sink)
        continue
      }
      const value = state.value * 256 + (chunk[at] ?? 0)
      at++
      if (state.have + 1 === HEADER_BYTES) this.#begin(value, at, sink)
      else this.#state = { kind: 'header', have: state.have + 1, value }
    }
  }

  end(): void {
    if (this.#state !== BOUNDARY) throw new FramingFault('ERR_TRUNCATED')
  }

  #begin(length: number, at: number, sink: FrameSink): number {
    if (length > this.#spec.maxFrameBytes) throw new FramingFault('ERR_FRAME_TOO_LARGE')
    sink.begin(length)
    this.#state = length === 0 ? BOUNDARY : { kind: 'payload', missing: length }
    return at
  }
}

const encoder: Encoder = {
  overhead: HEADER_BYTES,
  prefix: (length, target, at) => target.writeUInt32BE(length, at),
  suffix: (_target, at) => at,
}

export function lengthBeCodec(spec: FramingSpec): Codec {
  return { decoder: new LengthBeDecoder(spec), encoder }
}
