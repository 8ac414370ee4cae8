/**
 * `Content-Length: N` and other headers, an empty line, then N bytes: the base protocol of the Language Server Protocol
 * (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol). Header
 * names are compared without case; lines may end in LF alone.
 */
import { FramingFault, type FramingSpec } from '../../engine/protocol/framing.js'
import { Accumulator } from './accumulator.js'
import type { Codec, Decoder, Encoder, FrameSink } from './codec.js'

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a

const NAME = Buffer.from('content-length')
/** What names are made of (RFC 9110, 5.6.2): JSON that begins without headers is none. */
const TOKEN = Buffer.from("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
const CAPITALS = Buffer.from('CONTENT-LENGTH')

class ContentLengthDecoder implements Decoder {
  readonly #spec: FramingSpec
  /** Bytes of the current payload that have not come. 0: headers come. */
  #missing = 0
  /** The header line that is coming in pieces. */
  readonly #begun = new Accumulator()
  /** Bytes of this block of headers so far. */
  #headerBytes = 0
  /** What the headers so far announce. -1: nothing. */
  #announced = -1

  constructor(spec: FramingSpec) {
    this.#spec = spec
  }

  get holdsBack(): boolean {
    return this.#missing === 0 && this.#headerBytes > 0
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
      const found = chunk.indexOf(LF, at)
      const end = found === -1 ? length : found + 1
      this.#headerBytes += end - at
      if (this.#headerBytes > this.#spec.maxHeaderBytes) throw new FramingFault('ERR_HEADER_TOO_LARGE')
      const isLast = this.#takeLine(chunk, at, end, found !== -1)
      at = end
      if (!isLast) continue
      const announced = this.#finishHeaders()
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
    if (this.#missing > 0 || this.#headerBytes > 0) throw new FramingFault('ERR_TRUNCATED')
  }

  /** Takes a piece of a header line, the last one of it or not; says whether the line is the empty one. */
  #takeLine(chunk: Buffer, start: number, end: number, isComplete: boolean): boolean {
    const begun = this.#begun
    if (isComplete && begun.length === 0) return this.#header(chunk, start, end - 1)
    begun.append(chunk, start, end)
    if (!isComplete) return false
    const isEmpty = this.#header(begun.bytes, 0, begun.length - 1)
    begun.clear()
    return isEmpty
  }

  #finishHeaders(): number {
    const announced = this.#announced
    if (announced === -1) throw new FramingFault('ERR_FRAMING')
    this.#announced = -1
    this.#headerBytes = 0
    return announced
  }

  /** One line without its LF. True: it is the empty one. */
  #header(bytes: Buffer, start: number, stop: number): boolean {
    const end = stop > start && bytes[stop - 1] === CR ? stop - 1 : stop
    if (start === end) return true
    let colon = start
    while (colon < end && bytes[colon] !== COLON) colon++
    if (colon === start || colon === end) throw new FramingFault('ERR_FRAMING')
    if (isContentLength(bytes, start, colon)) this.#announce(numberOf(bytes, colon + 1, end))
    return false
  }

  #announce(length: number): void {
    if (Number.isNaN(length)) throw new FramingFault('ERR_FRAMING')
    if (length > this.#spec.maxFrameBytes) throw new FramingFault('ERR_FRAME_TOO_LARGE')
    // Twice the same is tolerated; two lengths are an attempt at smuggling, or garbage.
    if (this.#announced !== -1 && this.#announced !== length) throw new FramingFault('ERR_FRAMING')
    this.#announced = length
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB
}

/** Whether the name, without the blanks around it, is the one that counts. One that is no name is garbage. */
function isContentLength(bytes: Buffer, from: number, to: number): boolean {
  let start = from
  let end = to
  while (start < end && isBlank(bytes[start])) start++
  while (end > start && isBlank(bytes[end - 1])) end--
  let isSame = end - start === NAME.length
  for (let i = 0; i < end - start; i++) {
    const byte = bytes[start + i] ?? 0
    if (isSame && (byte === NAME[i] || byte === CAPITALS[i])) continue
    isSame = false
    if (!TOKEN.includes(byte)) throw new FramingFault('ERR_FRAMING')
  }
  return isSame
}

/** Digits with blanks around them; NaN for anything else. A number too large to be exact is too large anyway. */
function numberOf(bytes: Buffer, from: number, to: number): number {
  let at = from
  let end = to
  while (at < end && isBlank(bytes[at])) at++
  while (end > at && isBlank(bytes[end - 1])) end--
  if (at === end) return NaN
  let value = 0
  for (; at < end; at++) {
    const digit = bytes[at] ?? 0
    if (digit < ZERO || digit > NINE) return NaN
    value = value * 10 + digit - ZERO
  }
  return value
}

const BEFORE = Buffer.from('Content-Length: ')
const AFTER = Buffer.from('\r\n\r\n')

function put(bytes: Buffer, target: Buffer, at: number): number {
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] ?? 0
  return at + bytes.length
}

const encoder: Encoder = {
  overhead: BEFORE.length + String(0xffff_ffff).length + AFTER.length,
  prefix: (length, target, start) => {
    const at = put(BEFORE, target, start)
    let digits = 1
    for (let rest = length; rest >= 10; rest /= 10) digits++
    let rest = length
    for (let i = at + digits - 1; i >= at; i--) {
      target[i] = ZERO + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    return put(AFTER, target, at + digits)
  },
  suffix: (_target, at) => at,
}

export function contentLengthCodec(spec: FramingSpec): Codec {
  return { decoder: new ContentLengthDecoder(spec), encoder }
}
