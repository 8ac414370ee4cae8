/** How frames are delimited on the wire. Rings always carry the `length` format; a shard translates every other. */
import type { TransportErrorCode } from './errors.js'
import { quoteText } from './peer-text.js'

export const framingKinds = ['length', 'length-be', 'line', 'nul', 'content-length', 'raw'] as const

export type FramingKind = (typeof framingKinds)[number]

/** LF: what ends a frame of `line` framing, unless its delimiter is another. */
export const LINE_FEED = 0x0a
const CR = 0x0d
const NUL = 0x00

/** What says which frames can be carried. */
export interface Framing {
  readonly kind: FramingKind
  /** `line`: the byte that ends a frame, below 0x80, so that it is no part of another character of UTF-8. */
  readonly delimiter: number
}

/** What a shard needs to know to translate. */
export interface FramingSpec extends Framing {
  /** Largest payload that is accepted, in bytes. */
  readonly maxFrameBytes: number
  /** `content-length`: largest block of headers, in bytes. */
  readonly maxHeaderBytes: number
  /** `line`, `nul`: what becomes of bytes behind the last delimiter when the stream ends. */
  readonly lastLine: 'refuse' | 'keep'
  /** The most time for what precedes a payload, or for a frame without an announced length; undefined: no limit. */
  readonly frameTimeoutMs: number | undefined
}

/** Why a shard gives up translating what a peer sends or is sent. The lane's failure word counts in this order. */
export const framingFaults = [
  'ERR_FRAMING',
  'ERR_FRAME_TOO_LARGE',
  'ERR_HEADER_TOO_LARGE',
  'ERR_TRUNCATED',
  'ERR_FRAME_TIMEOUT',
  'ERR_OUT_OF_MEMORY',
] as const satisfies readonly TransportErrorCode[]

type FramingFaultCode = (typeof framingFaults)[number]

/** What ends a connection whose framing is translated. Only its code crosses to main. */
export class FramingFault extends Error {
  readonly code: FramingFaultCode

  constructor(code: FramingFaultCode) {
    super(code)
    this.code = code
  }
}

/** What happened and what to do about it. */
export function describeFault(code: FramingFaultCode, spec: FramingSpec): string {
  switch (code) {
    case 'ERR_FRAMING':
      return `the peer does not speak ${spec.kind} framing, or something else writes to its output. Check the framing option on both ends.`
    case 'ERR_FRAME_TOO_LARGE':
      return `the peer sent or announced a frame of more than ${String(spec.maxFrameBytes)} bytes (maxFrameBytes). Raise it, or check that the peer speaks ${spec.kind} framing.`
    case 'ERR_HEADER_TOO_LARGE':
      return `the peer sent more than ${String(spec.maxHeaderBytes)} bytes of headers (maxHeaderBytes). Raise it, or check that the peer speaks ${spec.kind} framing.`
    case 'ERR_FRAME_TIMEOUT':
      return `a frame was not complete ${String(spec.frameTimeoutMs)} ms after its first byte (frameTimeoutMs). The peer hangs, or does not speak ${spec.kind} framing; connect again.`
    case 'ERR_TRUNCATED':
      return 'the stream ended in the middle of a frame. The peer died or does not speak this framing; connect again, or see the lastLine option.'
    case 'ERR_OUT_OF_MEMORY':
      return `a worker thread had no memory to translate ${spec.kind} framing. Allow this process more (ulimit -v, the limit of its container), or lower the number of connections.`
  }
}

/** How much of what follows a length that is too large is looked at: enough to recognize text. */
export const PREVIEW_BYTES = 64
const LENGTH_BYTES = 4
const beginning = Buffer.alloc(LENGTH_BYTES + PREVIEW_BYTES)

/** A length that is too large, and the first bytes of what follows it. */
export interface Excess {
  readonly length: number
  readonly behind: Uint8Array
}

/** As `describeFault()`, where the length is known: by its bytes it may be no length at all. */
export function describeExcess({ length, behind }: Excess, { kind, maxFrameBytes }: FramingSpec): string {
  // Behind any other framing there was no length of four bytes.
  const hasLength = kind === 'length' || kind === 'length-be'
  if (kind === 'length-be') beginning.writeUInt32BE(length)
  else beginning.writeUInt32LE(length)
  beginning.set(behind, LENGTH_BYTES)
  const text = hasLength ? quoteText(beginning.subarray(0, LENGTH_BYTES + behind.length)) : undefined
  if (text !== undefined) {
    return `the peer wrote text: ${text}, where a length was expected. Check that both ends have the same framing option, and that nothing else, as a log, writes to the peer's output (its stdout).`
  }
  return `the peer announced a frame of ${String(length)} bytes and maxFrameBytes is ${String(maxFrameBytes)}. Raise it, or check that the peer speaks ${kind} framing.`
}

/** Why this framing cannot carry a frame of these bytes, or of these parts; undefined: it can. */
export function unframeable(
  { kind, delimiter }: Framing,
  frame: Uint8Array | readonly Uint8Array[],
): string | undefined {
  if (frame instanceof Uint8Array) {
    // Most frames, without an array made for each.
    if (kind === 'line' && !contains(frame, delimiter) && frame[frame.length - 1] !== CR) return undefined
    if (kind === 'nul' && !contains(frame, NUL)) return undefined
  }
  const parts = frame instanceof Uint8Array ? [frame] : frame
  switch (kind) {
    case 'line': {
      if (parts.some((part) => contains(part, delimiter)))
        return delimiter === LINE_FEED ? 'it contains a line feed' : `it contains the delimiter ${nameOf(delimiter)}`
      // Only before LF a carriage return is not part of a frame.
      if (delimiter !== LINE_FEED) return undefined
      const last = parts.findLast((part) => part.length > 0)
      return last?.[last.length - 1] === CR ? 'it ends in a carriage return' : undefined
    }
    case 'nul':
      return parts.some((part) => contains(part, NUL)) ? 'it contains a NUL byte' : undefined
    case 'raw':
      return parts.every((part) => part.length === 0) ? 'it is empty, and raw bytes have no frames' : undefined
    default:
      return undefined
  }
}

/** As it is written in a program. */
function nameOf(delimiter: number): string {
  return JSON.stringify(String.fromCharCode(delimiter))
}

/** Buffer's own search is a memchr, that of typed arrays a loop. */
function contains(part: Uint8Array, byte: number): boolean {
  const buffer = Buffer.isBuffer(part) ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength)
  return buffer.indexOf(byte) !== -1
}
