/**
 * What two bridges send each other, as bytes. All numbers are big-endian; a sequence has six bytes. Each message begins
 * with its kind:
 *
 *   frames  seq, handedOver, then for each frame its length (u32) and its bytes: whole frames
 *   part    seq, handedOver, length of the whole frame (u32), offset (u32), bytes: one piece of a frame
 *   end     seq, handedOver, code: nothing follows in this direction
 *   state   flags (u8), sent, received, handedOver: where a bridge stands
 *   reset   code: the connection is over, at once
 *   open    JSON: a connection is asked for        accept  JSON: there is one
 *
 * `seq` counts the packets of one direction from 1: frames, part and end. `handedOver` tells of the other direction, up
 * to which packet the local side has taken all.
 */
import { TransportError } from '../../engine/protocol/errors.js'
import type { TransportErrorCode } from '../../engine/protocol/errors.js'
import { errorCodes } from '../../engine/protocol/errors.js'

const kinds = { frames: 1, part: 2, end: 3, state: 4, reset: 5, open: 6, accept: 7 } as const

/** Bytes before the first frame of a packet. */
export const HEADER_BYTES = 13
/** Bytes before each whole frame. */
export const LENGTH_BYTES = 4
/** Bytes before the piece of a frame. */
export const PART_BYTES = HEADER_BYTES + 8
/** What `open` and `accept` take at most. */
const MOST_JSON = 1_024

export type EndCode = 'OK' | TransportErrorCode

/** What has a place in the order of its direction. */
export type Sequenced =
  | { readonly kind: 'frames'; readonly seq: number; readonly handedOver: number; readonly frames: readonly Buffer[] }
  | {
      readonly kind: 'part'
      readonly seq: number
      readonly handedOver: number
      readonly total: number
      readonly offset: number
      readonly bytes: Buffer
    }
  | { readonly kind: 'end'; readonly seq: number; readonly handedOver: number; readonly code: EndCode }

export interface State {
  readonly kind: 'state'
  /** The other bridge is to send its own state. */
  readonly asks: boolean
  /** Packets behind `received` are missing: the other bridge is to send them again. */
  readonly misses: boolean
  /** The last packet that was published. */
  readonly sent: number
  /** The last one that came, with all before it. */
  readonly received: number
  readonly handedOver: number
}

/** What a bridge tells of itself when a connection is made. */
export interface Terms {
  readonly windowBytes: number
  readonly windowFrames: number
  readonly maxFrameBytes: number
}

export type Packet =
  | Sequenced
  | State
  | { readonly kind: 'reset'; readonly code: EndCode }
  | { readonly kind: 'open' | 'accept'; readonly terms: Terms }

export function encodeState(state: Omit<State, 'kind'>): Buffer {
  const bytes = Buffer.alloc(20)
  bytes[0] = kinds.state
  bytes[1] = (state.asks ? 1 : 0) | (state.misses ? 2 : 0)
  bytes.writeUIntBE(state.sent, 2, 6)
  bytes.writeUIntBE(state.received, 8, 6)
  bytes.writeUIntBE(state.handedOver, 14, 6)
  return bytes
}

export function encodeReset(code: EndCode): Buffer {
  return Buffer.concat([Buffer.of(kinds.reset), Buffer.from(code)])
}

export function encodeTerms(kind: 'open' | 'accept', terms: Terms): Buffer {
  return Buffer.concat([Buffer.of(kinds[kind]), Buffer.from(JSON.stringify({ version: 1, ...terms }))])
}

/** With room for `size` bytes behind the header. */
export function startPacket(kind: Sequenced['kind'], seq: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + size)
  bytes[0] = kinds[kind]
  bytes.writeUIntBE(seq, 1, 6)
  bytes.writeUIntBE(0, 7, 6)
  return bytes
}

/** Tells the other bridge on the way what was handed over. */
export function stamp(packet: Buffer, handedOver: number): void {
  packet.writeUIntBE(handedOver, 7, 6)
}

/**
 * What a bridge has sent. Frames are views of the message: no memory is taken for what is only announced.
 * @throws {TransportError} ERR_FRAMING: no bridge of this version has sent that
 */
export function decodePacket(data: Uint8Array): Packet {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  switch (bytes[0]) {
    case kinds.frames:
      return { kind: 'frames', ...headerOf(bytes), frames: framesIn(bytes) }
    case kinds.part: {
      if (bytes.length <= PART_BYTES) throw damaged('a part without bytes')
      const total = bytes.readUInt32BE(HEADER_BYTES)
      const offset = bytes.readUInt32BE(HEADER_BYTES + 4)
      const part = bytes.subarray(PART_BYTES)
      if (offset + part.length > total) throw damaged('a part that reaches over the end of its frame')
      return { kind: 'part', ...headerOf(bytes), total, offset, bytes: part }
    }
    case kinds.end:
      return { kind: 'end', ...headerOf(bytes), code: codeIn(bytes.subarray(HEADER_BYTES)) }
    case kinds.state: {
      if (bytes.length !== 20) throw damaged('a state of another size')
      const flags = bytes.readUInt8(1)
      return {
        kind: 'state',
        asks: (flags & 1) !== 0,
        misses: (flags & 2) !== 0,
        sent: bytes.readUIntBE(2, 6),
        received: bytes.readUIntBE(8, 6),
        handedOver: bytes.readUIntBE(14, 6),
      }
    }
    case kinds.reset:
      return { kind: 'reset', code: codeIn(bytes.subarray(1)) }
    case kinds.open:
      return { kind: 'open', terms: termsIn(bytes.subarray(1)) }
    case kinds.accept:
      return { kind: 'accept', terms: termsIn(bytes.subarray(1)) }
    default:
      throw damaged('a packet of unknown kind')
  }
}

function headerOf(bytes: Buffer): { readonly seq: number; readonly handedOver: number } {
  if (bytes.length < HEADER_BYTES) throw damaged('a packet without its header')
  return { seq: bytes.readUIntBE(1, 6), handedOver: bytes.readUIntBE(7, 6) }
}

function framesIn(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  let at = HEADER_BYTES
  while (at < bytes.length) {
    if (at + LENGTH_BYTES > bytes.length) throw damaged('a frame without its length')
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at)
    if (end > bytes.length) throw damaged('a frame that reaches over the end of its packet')
    frames.push(bytes.subarray(at + LENGTH_BYTES, end))
    at = end
  }
  if (frames.length === 0) throw damaged('a packet without frames')
  return frames
}

function codeIn(bytes: Buffer): EndCode {
  const code = bytes.toString('latin1')
  if (code === 'OK' || Object.hasOwn(errorCodes, code)) return code as EndCode
  // A newer bridge may know more codes.
  if (/^ERR_[A-Z_]{1,60}$/.test(code)) return 'ERR_IO'
  throw damaged('an end without a code')
}

function termsIn(bytes: Buffer): Terms {
  if (bytes.length > MOST_JSON) throw damaged('an opening that is too long')
  let given: Partial<Record<string, unknown>>
  try {
    given = Object(JSON.parse(bytes.toString())) as Partial<Record<string, unknown>>
  } catch {
    throw damaged('an opening that is no JSON')
  }
  const { version, windowBytes, windowFrames, maxFrameBytes } = given
  if (version !== 1) throw damaged(`an opening of another version`)
  if (!isCount(windowBytes) || !isCount(windowFrames) || !isCount(maxFrameBytes)) {
    throw damaged('an opening without its terms')
  }
  return { windowBytes, windowFrames, maxFrameBytes }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

export function damaged(what: string): TransportError {
  return new TransportError(
    'ERR_FRAMING',
    `the other bridge has sent ${what}. See that both are bridges of the same version, and that nobody else publishes to their subjects.`,
  )
}
