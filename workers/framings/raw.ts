/** No framing: bytes as they come, each read a frame. Frame boundaries of the sender are lost. */
import type { FramingSpec } from '../../engine/protocol/framing.js'
import type { Codec, Encoder } from './codec.js'

const encoder: Encoder = { overhead: 0, prefix: (_length, _target, at) => at, suffix: (_target, at) => at }

export function rawCodec(spec: FramingSpec): Codec {
  return {
    encoder,
    decoder: {
      holdsBack: false,
      push(chunk, sink) {
        for (let at = 0; at < chunk.length;) {
          const end = Math.min(chunk.length, at + spec.maxFrameBytes)
          sink.frame(chunk, at, end)
          at = end
        }
      },
      end: () => undefined,
    },
  }
}
