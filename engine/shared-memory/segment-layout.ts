/**
 * A segment: the file that both processes of a connection have mapped. docs/wire.md specifies it byte by byte.
 *
 *   page 0     header: what the segment is, then the words of both directions
 *   behind it  for each ring size from the smallest to the most that was agreed on: the ring of direction 0, then that
 *              of direction 1
 *
 * The file is sparse: only the header and the two first rings have memory when the connection begins. A producer whose
 * ring grows takes memory for its next ring, and switches to it as lanes do (see engine/protocol/ring-layout.ts, which
 * also explains positions and arming). A ring is used once, and never returned to.
 *
 * Direction 0 is from the side that dialled to the side that accepted. The words of each writer have cache lines of
 * their own, in pairs, since processors fetch two at a time.
 */
import { regionBytes } from '../protocol/ring-layout.js'

export const HEADER_BYTES = 4096

/** Byte offsets of the header's first part, which the accepting side writes before it offers the segment. */
export const header = {
  MAGIC: 0,
  VERSION: 8,
  BYTES: 12,
  MOST_RING_BYTES: 16,
  FIRST_RING_BYTES: 20,
  NONCE: 32,
} as const

export const MAGIC = 'SYMSHMEM'
export const NONCE_BYTES = 16

export type Direction = 0 | 1

const DIRECTION_WORDS = 128
const FIRST_DIRECTION_WORD = 64

/** Word offsets of one direction. */
export const word = {
  TAIL: 0,
  RING: 1,
  SWITCH_AT: 2,
  STATE: 3,
  SPACE_AT: 4,

  HEAD: 32,
  RING_ACK: 33,
  NOTIFY_AT: 34,

  NOTIFY: 64,
  SPACE: 96,
} as const

/** STATE: whether the producer's end of stream lies behind TAIL. */
export const streamState = { OPEN: 0, ENDED: 1 } as const

/** Where the words of a direction begin. */
export function wordsOf(direction: Direction): number {
  return FIRST_DIRECTION_WORD + direction * DIRECTION_WORDS
}

/** The sizes of rings that a segment has room for, smallest first. A ring's number is its place among them. */
export type RingSizes = readonly number[]

/** Undefined: a ring cannot have so many bytes. */
export function ringSizesUpTo(mostBytes: number): RingSizes | undefined {
  const last = (regionBytes as RingSizes).indexOf(mostBytes)
  return last === -1 ? undefined : regionBytes.slice(0, last + 1)
}

/** Where a ring begins in the segment. */
export function ringOffset(sizes: RingSizes, ring: number, direction: Direction): number {
  const size = sizes[ring] ?? 0
  return bytesBefore(sizes, ring) + direction * size
}

export function segmentBytes(sizes: RingSizes): number {
  return bytesBefore(sizes, sizes.length)
}

/** The header and all rings smaller than this one. */
export function bytesBefore(sizes: RingSizes, ring: number): number {
  return sizes.slice(0, ring).reduce((sum, size) => sum + 2 * size, HEADER_BYTES)
}
