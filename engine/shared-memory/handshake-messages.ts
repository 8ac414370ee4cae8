/**
 * What both ends of a connection say before it begins, each in one frame on the socket: HELLO (the side that dialled),
 * OFFER (the side that accepted), ANSWER (the side that dialled). docs/wire.md specifies them byte by byte. Whatever a
 * peer sends is read by these functions alone.
 */
import { regionBytes } from '../protocol/ring-layout.js'
import { NONCE_BYTES, ringSizesUpTo, segmentBytes } from './segment-layout.js'

const MAGIC = Buffer.from('SYMSHM\0\0', 'latin1')
const HELLO = { type: 1, bytes: 40 } as const
const OFFER = { type: 2, bytes: 48 } as const
const ANSWER = { type: 3, bytes: 12 } as const
/** A path has at most so many bytes. */
export const MOST_PATH_BYTES = 256

/** The version of all of this that this package speaks. */
export const VERSION = 1

/** How the dialling side is to reach the segment: not at all, by a descriptor of the other process, or by a path. */
const modes = ['socket', 'descriptor', 'path'] as const
export type Mode = (typeof modes)[number]

export interface Versions {
  readonly lowestVersion: number
  readonly highestVersion: number
}

export interface Hello {
  /** By what it can reach a segment. */
  readonly byDescriptor: boolean
  readonly byPath: boolean
  readonly mostRingBytes: number
  /** Which processes can reach each other by their numbers; 0: not known. */
  readonly pidNamespace: bigint
  readonly pid: number
}

export interface SegmentOffer {
  readonly mostRingBytes: number
  readonly firstRingBytes: number
  readonly bytes: number
  readonly nonce: Buffer
  readonly at:
    | { readonly mode: 'descriptor'; readonly pid: number; readonly descriptor: number }
    | { readonly mode: 'path'; readonly path: string }
}

export type Offer =
  | { readonly kind: 'segment'; readonly segment: SegmentOffer }
  | { readonly kind: 'socket' }
  /** There is no version that both sides speak. */
  | ({ readonly kind: 'refused' } & Versions)

export function encodeHello(hello: Hello): Buffer {
  const message = begin(HELLO)
  message.writeUInt8(VERSION, 9)
  message.writeUInt8(VERSION, 10)
  message.writeUInt8((hello.byDescriptor ? 1 : 0) | (hello.byPath ? 2 : 0), 11)
  message.writeUInt32LE(hello.mostRingBytes, 12)
  message.writeBigUInt64LE(hello.pidNamespace, 16)
  message.writeUInt32LE(hello.pid, 24)
  return message
}

/** Those of HELLO of any version, whose rest may be another. Undefined: it is none. */
export function decodeVersions(message: Buffer): Versions | undefined {
  if (!is(message, HELLO)) return undefined
  return { lowestVersion: message.readUInt8(9), highestVersion: message.readUInt8(10) }
}

/** Undefined: it is none of this version. */
export function decodeHello(message: Buffer): Hello | undefined {
  if (!is(message, HELLO) || message.length !== HELLO.bytes) return undefined
  const abilities = message.readUInt8(11)
  const mostRingBytes = message.readUInt32LE(12)
  if (ringSizesUpTo(mostRingBytes) === undefined) return undefined
  return {
    byDescriptor: (abilities & 1) !== 0,
    byPath: (abilities & 2) !== 0,
    mostRingBytes,
    pidNamespace: message.readBigUInt64LE(16),
    pid: message.readUInt32LE(24),
  }
}

export function encodeOffer(offer: Offer): Buffer {
  if (offer.kind === 'refused') {
    const message = begin(OFFER)
    message.writeUInt8(offer.lowestVersion, 10)
    message.writeUInt8(offer.highestVersion, 11)
    return message
  }
  if (offer.kind === 'socket') {
    const message = begin(OFFER)
    message.writeUInt8(VERSION, 9)
    return message
  }
  const { segment } = offer
  const { at } = segment
  const path = Buffer.from(at.mode === 'path' ? at.path : '')
  const message = begin(OFFER, path.length)
  message.writeUInt8(VERSION, 9)
  message.writeUInt8(modes.indexOf(at.mode), 10)
  message.writeUInt32LE(segment.mostRingBytes, 12)
  message.writeUInt32LE(segment.firstRingBytes, 16)
  if (at.mode === 'descriptor') {
    message.writeUInt32LE(at.pid, 20)
    message.writeUInt32LE(at.descriptor, 24)
  }
  message.writeUInt32LE(segment.bytes, 28)
  segment.nonce.copy(message, 32)
  path.copy(message, OFFER.bytes)
  return message
}

/** Undefined: it is none, or one that cannot be. */
export function decodeOffer(message: Buffer): Offer | undefined {
  if (!is(message, OFFER)) return undefined
  const version = message.readUInt8(9)
  if (version === 0) {
    return { kind: 'refused', lowestVersion: message.readUInt8(10), highestVersion: message.readUInt8(11) }
  }
  const mode = modes[message.readUInt8(10)]
  if (version !== VERSION || mode === undefined) return undefined
  if (mode === 'socket') return { kind: 'socket' }
  const mostRingBytes = message.readUInt32LE(12)
  const firstRingBytes = message.readUInt32LE(16)
  const bytes = message.readUInt32LE(28)
  const sizes = ringSizesUpTo(mostRingBytes)
  if (sizes?.includes(firstRingBytes) !== true || bytes !== segmentBytes(sizes)) return undefined
  const nonce = Buffer.from(message.subarray(32, 32 + NONCE_BYTES))
  const path = message.toString('utf8', OFFER.bytes)
  if (mode === 'path' && !isPath(path)) return undefined
  const at =
    mode === 'path'
      ? ({ mode, path } as const)
      : ({ mode, pid: message.readUInt32LE(20), descriptor: message.readUInt32LE(24) } as const)
  return { kind: 'segment', segment: { mostRingBytes, firstRingBytes, bytes, nonce, at } }
}

/** Relative to a working folder it would lead anywhere. */
function isPath(path: string): boolean {
  return path.startsWith('/') && !path.includes('\0') && Buffer.byteLength(path) <= MOST_PATH_BYTES
}

/** `isMapped`: the segment that was offered is mapped; else both go on over the socket. */
export function encodeAnswer(mode: Mode): Buffer {
  const message = begin(ANSWER)
  message.writeUInt8(modes.indexOf(mode), 9)
  return message
}

/** How both go on; undefined: it is no answer to this offer. */
export function decodeAnswer(message: Buffer, offered: Mode): Mode | undefined {
  if (!is(message, ANSWER) || message.length !== ANSWER.bytes) return undefined
  const mode = modes[message.readUInt8(9)]
  return mode === 'socket' || mode === offered ? mode : undefined
}

/** The largest size of rings that both sides allow. */
export function agreedRingBytes(ours: number, theirs: number): number {
  return Math.min(ours, theirs, regionBytes[regionBytes.length - 1] ?? 0)
}

type Kind = typeof HELLO | typeof OFFER | typeof ANSWER

function begin({ type, bytes }: Kind, more = 0): Buffer {
  const message = Buffer.alloc(bytes + more)
  MAGIC.copy(message)
  message.writeUInt8(type, 8)
  return message
}

/** Of this type, and not shorter. */
function is(message: Buffer, { type, bytes }: Kind): boolean {
  if (message.length < bytes || !message.subarray(0, MAGIC.length).equals(MAGIC)) return false
  return message.readUInt8(8) === type
}
