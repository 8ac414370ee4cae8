/**
 * `Content-Length: N` and other headers, an empty line, then N bytes: the base protocol of the Language Server Protocol
 * (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol). Header names
 * are compared without case; lines may end in LF alone.
 */
import { FramingFault, type FramingSpec } from '../../engine/shared/framing.js'
import { Accumulator } from './accumulator.js'
import type { Codec, Decoder, Encoder, FrameSink } from './codec.js'

const LF = 0x0a
/** A length has at most so many digits; more cannot be told apart as numbers. */
const MAX_DIGITS = 15

type State = { readonly kind: 'headers' } | { readonly kind: 'payload'; readonly missing: number }

const HEADERS: State = { kind: 'headers' }

class ContentLengthDecoder implements Decoder {
  readonly #spec: FramingSpec
  #state: State = HEADERS
  /** The header line that is coming in pieces. */
  readonly #line = new Accumulator()
  /** Bytes of this block of headers so far. */
  #headerBytes = 0
  #contentLength: number | undefined

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
        this.#state = missing === 0 ? HEADERS : { kind: 'payload', missing }
        at = end
      } else {
        at = this.#header(chunk, at, sink)
      }
    }
  }

  end(): void {
    if (this.#state !== HEADERS || this.#headerBytes > 0) throw new FramingFault('ERR_TRUNCATED')
  }

  /** Takes up to the end of one header line; returns where it ends. */
  #header(chunk: Buffer, start: number, sink: FrameSink): number {
    const found = chunk.indexOf(LF, start)
    const end = found === -1 ? chunk.length : found + 1
    this.#headerBytes += end - start
    if (this.#headerBytes > this.#spec.maxHeaderBytes) throw new FramingFault('ERR_HEADER_TOO_LARGE')
    this.#line.append(chunk, start, end)
    if (found === -1) return end
    const line = this.#line.bytes.toString('latin1', 0, this.#line.length).trimEnd()
    this.#line.clear()
    if (line !== '') this.#field(line)
    else this.#begin(sink)
    return end
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    if (colon < 1) throw new FramingFault('ERR_FRAMING')
    if (line.slice(0, colon).trim().toLowerCase() !== 'content-length') return
    const value = line.slice(colon + 1).trim()
    if (!/^\d+$/.test(value)) throw new FramingFault('ERR_FRAMING')
    const length = value.length > MAX_DIGITS ? Infinity : Number(value)
    if (length > this.#spec.maxFrameBytes) throw new FramingFault('ERR_FRAME_TOO_LARGE')
    // Twice the same is tolerated; two lengths are an attempt at smuggling, or garbage.
    if (this.#contentLength !== undefined && this.#contentLength !== length)
      throw new FramingFault('ERR_FRAMING')
    this.#contentLength = length
  }

  #begin(sink: FrameSink): void {
    const length = this.#contentLength
    if (length === undefined) throw new FramingFault('ERR_FRAMING')
    this.#contentLength = undefined
    this.#headerBytes = 0
    sink.begin(length)
    this.#state = length === 0 ? HEADERS : { kind: 'payload', missing: length }
  }
}

const encoder: Encoder = {
  overhead: 'Content-Length: 4294967295\r\n\r\n'.length,
  prefix: (length, target, at) =>
    at + target.write(`Content-Length: ${String(length)}\r\n\r\n`, at, 'latin1'),
  suffix: (_target, at) => at,
}

export function contentLengthCodec(spec: FramingSpec): Codec {
  return { decoder: new ContentLengthDecoder(spec), encoder }
}
