/** Frames that end in a byte of their own: `line` (LF, where CRLF is accepted, or its delimiter) and `nul`. */
import { FramingFault, LINE_FEED, type FramingSpec } from '../../engine/protocol/framing.js'
import { Accumulator } from './accumulator.js'
import type { Codec, Decoder, Encoder, FrameSink } from './codec.js'

const CR = 0x0d
const NUL = 0x00

class DelimitedDecoder implements Decoder {
  readonly #spec: FramingSpec
  readonly #delimiter: number
  readonly #stripsCr: boolean
  /** The beginning of a frame whose delimiter has not come. */
  readonly #begun = new Accumulator()

  constructor(spec: FramingSpec, delimiter: number, stripsCr: boolean) {
    this.#spec = spec
    this.#delimiter = delimiter
    this.#stripsCr = stripsCr
  }

  get holdsBack(): boolean {
    return this.#begun.length > 0
  }

  push(chunk: Buffer, sink: FrameSink): void {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(this.#delimiter, start)
      if (end === -1) break
      if (this.#begun.length === 0) {
        sink.frame(chunk, start, this.#payloadEnd(chunk, start, end))
      } else {
        this.#gather(chunk, start, end)
        this.#handGathered(sink)
      }
      start = end + 1
    }
    if (start < chunk.length) this.#gather(chunk, start, chunk.length)
  }

  end(sink: FrameSink): void {
    if (this.#begun.length === 0) return
    if (this.#spec.lastLine === 'refuse') throw new FramingFault('ERR_TRUNCATED')
    this.#handGathered(sink)
  }

  #gather(chunk: Buffer, start: number, end: number): void {
    // Before memory is taken. A carriage return that will be stripped does not count.
    const limit = this.#spec.maxFrameBytes + (this.#stripsCr ? 1 : 0)
    if (this.#begun.length + end - start > limit) throw new FramingFault('ERR_FRAME_TOO_LARGE')
    this.#begun.append(chunk, start, end)
  }

  #handGathered(sink: FrameSink): void {
    const begun = this.#begun
    const stop = this.#payloadEnd(begun.bytes, 0, begun.length)
    if (begun.isLarge) sink.keep(begun.bytes, 0, stop)
    else sink.frame(begun.bytes, 0, stop)
    begun.clear()
  }

  #payloadEnd(bytes: Buffer, start: number, end: number): number {
    const stop = this.#stripsCr && end > start && bytes[end - 1] === CR ? end - 1 : end
    if (stop - start > this.#spec.maxFrameBytes) throw new FramingFault('ERR_FRAME_TOO_LARGE')
    return stop
  }
}

function delimiterEncoder(delimiter: number): Encoder {
  return {
    overhead: 1,
    prefix: (_length, _target, at) => at,
    suffix: (target, at) => {
      target[at] = delimiter
      return at + 1
    },
  }
}

export function lineCodec(spec: FramingSpec): Codec {
  const { delimiter } = spec
  return {
    decoder: new DelimitedDecoder(spec, delimiter, delimiter === LINE_FEED),
    encoder: delimiterEncoder(delimiter),
  }
}

export function nulCodec(spec: FramingSpec): Codec {
  return { decoder: new DelimitedDecoder(spec, NUL, false), encoder: delimiterEncoder(NUL) }
}
