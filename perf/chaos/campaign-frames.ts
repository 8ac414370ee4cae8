/**
 * The frames of the fault campaign: a number, a purpose, a checksum, and as many random bytes as the plan says.
 *
 *     u32 number | u32 purpose | u32 connection | u32 CRC-32 | payload
 *
 * The peer sends a frame back unchanged, except for `connection`: there it says over which connection the frame came.
 */
import { crc32 } from 'node:zlib'
import type { Random } from '../harness/seeded-random.js'

export const FRAME_HEAD_BYTES = 16

/**
 * `data` and `order` are numbered frames; `hello` is the first frame of each connection; `ask` is a round trip over a
 * pool.
 */
export const purposes = ['data', 'order', 'hello', 'ask'] as const

export type Purpose = (typeof purposes)[number]

export interface OpenedFrame {
  readonly number: number
  readonly purpose: Purpose
  /** 0 in a frame that has not been at a peer. */
  readonly connection: number
  readonly payload: Buffer
}

/** Larger than the rings of the campaign's engine, so that some frames are streamed through them. */
const LARGEST_PAYLOAD = 200 * 1024

const noise = Buffer.alloc(2 * LARGEST_PAYLOAD)

/** Random bytes of a random size, mostly small; a view of memory that is never written again. */
export function randomPayload(random: Random): Buffer {
  if (noise[0] === 0) for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE((random.next() | 1) >>> 0, at)
  const size = randomSize(random)
  const from = random.below(noise.length - size)
  return noise.subarray(from, from + size)
}

function randomSize(random: Random): number {
  const dice = random.below(100)
  if (dice < 10) return 0
  if (dice < 60) return random.below(128)
  if (dice < 90) return random.below(4 * 1024)
  if (dice < 98) return random.below(32 * 1024)
  return random.below(LARGEST_PAYLOAD)
}

export function makeFrame(number: number, purpose: Purpose, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length)
  frame.writeUInt32LE(number, 0)
  frame.writeUInt32LE(purposes.indexOf(purpose), 4)
  frame.writeUInt32LE(0, 8)
  frame.set(payload, FRAME_HEAD_BYTES)
  frame.writeUInt32LE(checksum(frame), 12)
  return frame
}

/** Writes into the frame over which connection it came. */
export function stampConnection(frame: Buffer, connection: number): void {
  frame.writeUInt32LE(connection, 8)
}

/** Undefined: these are not the bytes of a frame of ours. */
export function openFrame(frame: Buffer): OpenedFrame | undefined {
  if (frame.length < FRAME_HEAD_BYTES || checksum(frame) !== frame.readUInt32LE(12)) return undefined
  const purpose = purposes[frame.readUInt32LE(4)]
  if (purpose === undefined) return undefined
  return {
    number: frame.readUInt32LE(0),
    purpose,
    connection: frame.readUInt32LE(8),
    payload: frame.subarray(FRAME_HEAD_BYTES),
  }
}

/** Over everything but the connection, which the peer fills in. */
function checksum(frame: Buffer): number {
  return crc32(frame.subarray(FRAME_HEAD_BYTES), crc32(frame.subarray(0, 8)))
}
