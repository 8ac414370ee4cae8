/** Messages of the handshake that are right, and ways to make them wrong. */
import { randomBytes } from 'node:crypto'
import type { Hello, Offer } from '../../engine/shared-memory/handshake-messages.js'
import { ringSizesUpTo, segmentBytes } from '../../engine/shared-memory/segment-layout.js'
import type { Random } from './random.js'

const MOST = 32_768
const hello: Hello = {
  byDescriptor: true,
  byPath: true,
  mostRingBytes: MOST,
  pidNamespace: 4_026_531_836n,
  pid: process.pid,
}

export const hellos: readonly [Hello, ...Hello[]] = [
  hello,
  { ...hello, byDescriptor: false },
  { ...hello, byDescriptor: false, byPath: false },
]

const segment = {
  mostRingBytes: MOST,
  firstRingBytes: 8192,
  bytes: segmentBytes(ringSizesUpTo(MOST) ?? []),
  nonce: randomBytes(16),
}

export const offers: readonly [Offer, ...Offer[]] = [
  { kind: 'segment', segment: { ...segment, at: { mode: 'descriptor', pid: process.pid, descriptor: 3 } } },
  { kind: 'segment', segment: { ...segment, at: { mode: 'path', path: '/tmp/none/segment' } } },
  { kind: 'socket' },
  { kind: 'refused', lowestVersion: 2, highestVersion: 3 },
]

/** Some bytes changed, cut off or added; now and then none, or nothing of it left. */
export function garbled(random: Random, message: Buffer): Buffer {
  const bytes = Buffer.from(message)
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)))
  switch (random.below(6)) {
    case 0:
      return bytes
    case 1:
      return bytes.subarray(0, random.below(bytes.length))
    case 2:
      return Buffer.concat([bytes, noise(random.between(1, 300))])
    case 3:
      return noise(random.below(600))
    default:
      for (let i = random.between(1, 4); i > 0; i--)
        bytes[random.below(bytes.length)] = random.pick([0, 1, 2, 3, 255, random.below(256)])
      return bytes
  }
}
