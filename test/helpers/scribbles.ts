/** What a peer does to a segment that it must not do, and some of what it may. */
import fs from 'node:fs'
import { setImmediate as immediate } from 'node:timers/promises'
import type { Random } from './random.js'
import { words, type RawPeer, type WordName } from './raw-peer.js'

const names = Object.keys(words) as [WordName, ...WordName[]]
const LARGEST_LENGTH = 0xffffffff
const BURST = 3_000

/** Undefined: it goes on. */
type Scribble = (peer: RawPeer, random: Random) => 'closed' | undefined | Promise<undefined>

const decent: readonly Scribble[] = [
  (peer, random) => {
    peer.publish(Buffer.alloc(random.below(600), random.below(256)))
    return undefined
  },
  (peer) => {
    peer.drain()
    return undefined
  },
  async () => {
    await immediate()
    return undefined
  },
]

/** A value for a word: near what may be, or far from it. */
function badValue(peer: RawPeer, random: Random): number {
  const { ringBytes, tail } = peer
  const theirs = peer.load(1, 'TAIL')
  return random.pick([
    ...([0, 1, 2, -1, 255, 2 ** 31 - 1, -(2 ** 31), 2 ** 30] as const),
    ...[tail, tail - 1, tail + 1, tail + ringBytes, tail + ringBytes + 1, tail - ringBytes, tail + 2 ** 31],
    ...[theirs, theirs - 1, theirs + 1, theirs - ringBytes, theirs + 2 ** 31],
    random.next() | 0,
  ])
}

function scribbleWord(peer: RawPeer, random: Random): undefined {
  peer.store(random.oneIn(2) ? 1 : 0, random.pick(names), badValue(peer, random))
}

function scribbleBytes(peer: RawPeer, random: Random, from: number, to: number): void {
  const at = random.between(from, to - 64)
  for (let i = random.below(64); i >= 0; i--) peer.bytes[at + i] = random.next()
}

const wild: readonly Scribble[] = [
  scribbleWord,
  scribbleWord,
  (peer, random) => {
    scribbleBytes(peer, random, 0, 4096)
    return undefined
  },
  (peer, random) => {
    scribbleBytes(peer, random, 4096, peer.bytes.length)
    return undefined
  },
  // A length that is a lie.
  (peer, random) => {
    const length = random.pick([LARGEST_LENGTH, 2 ** 31, 2 ** 20 + 1, 2 ** 20, 5_000, random.next()])
    peer.publish(Buffer.alloc(random.below(100)), length)
    return undefined
  },
  // A length that changes while it is read.
  (peer, random) => {
    const at = peer.publish(Buffer.alloc(50))
    if (at === undefined || at > 4096 + peer.ringBytes - 4) return undefined
    peer.wake()
    for (let i = 0; i < BURST; i++) peer.bytes.writeUInt32LE(i % 2 === 0 ? 50 : random.next(), at)
    return undefined
  },
  // Everything changes while it is looked at.
  (peer, random) => {
    peer.wake()
    for (let i = 0; i < BURST; i++) scribbleWord(peer, random)
    return undefined
  },
  // Positions that run, each of them one that may be, and faster than anybody reads.
  (peer, random) => {
    peer.wake()
    for (let i = 0; i < BURST; i++) {
      peer.tail = (peer.load(0, 'HEAD') + random.below(peer.ringBytes)) | 0
      peer.store(0, 'TAIL', peer.tail)
      peer.drain()
      if (i % 100 === 0) peer.wake()
    }
    return undefined
  },
  // A change of rings, to any, at any place.
  (peer, random) => {
    peer.store(0, 'SWITCH_AT', random.oneIn(2) ? peer.tail : badValue(peer, random))
    peer.store(0, 'RING', random.oneIn(2) ? random.below(8) : badValue(peer, random))
    peer.tail = (peer.tail + random.below(200)) | 0
    peer.store(0, 'TAIL', peer.tail)
    return undefined
  },
  (peer, random) => {
    peer.store(0, 'STATE', random.pick([0, 1, 1, 2, -1]))
    return undefined
  },
  (peer, random) => {
    peer.discard(0, random.pick([4096, 12_288, peer.bytes.length]))
    return undefined
  },
  (peer, random) => {
    try {
      fs.ftruncateSync(peer.descriptor, random.pick([0, 4096, 2 * peer.bytes.length]))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EPERM') return undefined
      throw error
    }
    throw new Error('the size of a segment could be changed')
  },
  (peer, random) => {
    peer.wake(random.between(1, 5_000))
    return undefined
  },
  () => 'closed',
]

/** A connection from its first frames to its end. */
export async function scribble(peer: RawPeer, random: Random): Promise<void> {
  const wildAfter = random.below(20)
  const steps = wildAfter + random.between(1, 20)
  for (let step = 0; step < steps; step++) {
    const isWild = step >= wildAfter && random.oneIn(2)
    const choices = isWild ? wild : decent
    const what = choices[random.below(choices.length)]
    if ((await what?.(peer, random)) === 'closed') break
    if (!random.oneIn(5)) peer.wake()
    if (random.oneIn(3)) await immediate()
  }
  peer.close()
}
