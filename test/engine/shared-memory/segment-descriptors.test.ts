/** Which descriptors of segments stay open, with real memory, and what becomes of a segment on a full file system. */
import fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import type { NativeMemory } from '../../../engine/native/native-memory.js'
import { withEnvironment } from '../../helpers/environment.js'
import { memoryOf, olderMemoryOf } from '../../helpers/native-memories.js'
import { SharedPair, type PairOptions } from '../../helpers/shared-pair.js'
import { smallFileSystem } from '../../helpers/small-file-system.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const SEGMENT = /memfd:symphony|symphony-[^/]*\/segment/

failOnWarnings()

/** How many descriptors of segments this process has. */
function openSegments(): number {
  return fs.readdirSync('/proc/self/fd').filter((descriptor) => SEGMENT.test(linkOf(descriptor))).length
}

function linkOf(descriptor: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    // The one that the list was read with.
    return ''
  }
}

function withoutMemfd(memory: NativeMemory | undefined): NativeMemory | undefined {
  return memory && Object.defineProperty(memory, 'hasMemfd', { value: false })
}

async function exchange(t: ExecutionContext, pair: SharedPair, bytes: number): Promise<void> {
  const { dialled, accepted } = pair
  const frame = Buffer.alloc(bytes, 'abcdefg')
  for (const [from, to] of [
    [dialled, accepted],
    [accepted, dialled],
  ] as const) {
    from.send(frame)
    t.true(frame.equals((await to.receive()) ?? Buffer.of()))
  }
}

async function withPair(options: PairOptions, use: (pair: SharedPair) => Promise<void>): Promise<SharedPair> {
  const pair = await SharedPair.connect(options)
  try {
    await use(pair)
  } finally {
    await pair.close()
  }
  return pair
}

const onLinux = process.platform === 'linux' && memoryOf('koffi') !== undefined ? test.serial : test.serial.skip

for (const [title, makeMemory] of [
  ['a file in memory', () => memoryOf('koffi')],
  ['a file on a path', () => withoutMemfd(memoryOf('koffi'))],
] as const) {
  onLinux(`a connection keeps no descriptor of ${title}, and its rings grow and shrink without one`, async (t) => {
    const native = makeMemory()
    if (native === undefined) throw new Error('koffi is there')
    const before = openSegments()
    const pair = await withPair({ native, maxRingBytes: 2_097_152 }, async (both) => {
      const { segments, mappings } = both.ledger.report().byKind
      t.is(openSegments(), before)
      t.deepEqual([segments.opened, segments.released], [2, 2])
      t.deepEqual([mappings.opened, mappings.released], [2, 0])
      const reserved = both.dialledSide.stats().reservedBytes
      await exchange(t, both, 1_000_000)
      t.true(both.dialledSide.stats().reservedBytes > reserved)
      t.is(openSegments(), before)
    })
    t.is(openSegments(), before)
    t.is(pair.ledger.report().leaked, 0)
  })
}

for (const [title, makeMemory] of [
  ['a file in memory', () => olderMemoryOf('koffi')],
  ['a file on a path', () => withoutMemfd(olderMemoryOf('koffi'))],
] as const) {
  onLinux(`on an older system each end keeps the descriptor of ${title} until it closes`, async (t) => {
    const native = makeMemory()
    if (native === undefined) throw new Error('koffi is there')
    const before = openSegments()
    const pair = await withPair({ native, maxRingBytes: 2_097_152 }, async (both) => {
      t.is(openSegments(), before + 2)
      t.is(both.ledger.report().byKind.segments.released, 0)
      const reserved = both.dialledSide.stats().reservedBytes
      await exchange(t, both, 1_000_000)
      t.true(both.dialledSide.stats().reservedBytes > reserved)
    })
    t.is(openSegments(), before)
    t.is(pair.ledger.report().leaked, 0)
  })
}

for (const [title, makeMemory] of [
  ['', () => memoryOf('koffi')],
  [', on an older system too', () => olderMemoryOf('koffi')],
] as const) {
  onLinux(`rings on a full file system stay as they are, and frames go on${title}`, async (t) => {
    const folder = await smallFileSystem(32 * 1024)
    const native = withoutMemfd(makeMemory())
    if (folder === undefined || native === undefined) {
      t.log('this user cannot mount a file system')
      t.pass()
      return
    }
    try {
      await withEnvironment({ TMPDIR: folder.path }, async () => {
        const pair = await withPair({ native }, async (both) => {
          const { reservedBytes } = both.dialledSide.stats()
          for (let i = 0; i < 3; i++) await exchange(t, both, 300_000)
          t.is(both.dialledSide.stats().reservedBytes, reservedBytes)
        })
        t.is(pair.ledger.report().leaked, 0)
      })
    } finally {
      await folder.remove()
    }
  })
}
