/** What a peer may offer in the place of its segment: none of it is mapped, written to or waited for. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { Ledger } from '../../../engine/common/ledger.js'
import { findNativeMemory } from '../../../engine/native/find-native-memory.js'
import type { NativeMemory } from '../../../engine/native/native-memory.js'
import type { SegmentOffer } from '../../../engine/shared-memory/handshake-messages.js'
import { makeSegment, openSegment } from '../../../engine/shared-memory/segment.js'
import { withEnvironment } from '../../helpers/environment.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const NOBODY = 65_534
const SIZES = { first: 4096, most: 8192 } as const
const { memory } = await findNativeMemory()
const declare = memory?.hasMemfd === true ? test.serial : test.serial.skip
const isRoot = process.getuid?.() === 0

failOnWarnings()

interface Scene {
  readonly native: NativeMemory
  /** Of a segment that is there, by its descriptor and by its path. */
  readonly good: SegmentOffer
  readonly goodPath: SegmentOffer
  readonly folder: string
  /** Closes what was opened. */
  readonly later: (end: () => void) => void
}

type Made = SegmentOffer['at']

/** A file that is all that a segment is, so that only one thing is wrong with it. */
function copy({ goodPath, folder }: Scene, mode = 0o600): string {
  const path = join(folder, 'copy')
  if (goodPath.at.mode !== 'path') throw new Error('it has a path')
  fs.copyFileSync(goodPath.at.path, path)
  fs.chmodSync(path, mode)
  return path
}

function byDescriptor(scene: Scene, descriptor: number): Made {
  scene.later(() => fs.closeSync(descriptor))
  return { mode: 'descriptor', pid: process.pid, descriptor }
}

const offers: Readonly<Record<string, (scene: Scene) => Made>> = {
  'a file of another content': (scene) => {
    const path = join(scene.folder, 'other')
    fs.writeFileSync(path, Buffer.alloc(scene.good.bytes, 'precious'), { mode: 0o600 })
    return { mode: 'path', path }
  },
  'a file that is too small': (scene) => {
    const path = copy(scene)
    fs.truncateSync(path, scene.good.bytes - 1)
    return { mode: 'path', path }
  },
  'a file that others may use': (scene) => ({ mode: 'path', path: copy(scene, 0o644) }),
  'a symbolic link': (scene) => {
    const path = join(scene.folder, 'link')
    fs.symlinkSync(copy(scene), path)
    return { mode: 'path', path }
  },
  'a directory': ({ folder }) => ({ mode: 'path', path: folder }),
  'a FIFO': ({ folder }) => {
    const path = join(folder, 'fifo')
    execFileSync('mkfifo', ['-m', '600', path])
    return { mode: 'path', path }
  },
  'a socket': ({ folder, later }) => {
    const path = join(folder, 'socket')
    const server = net.createServer().listen(path)
    later(() => server.close())
    return { mode: 'path', path }
  },
  'a device': () => ({ mode: 'path', path: '/dev/zero' }),
  'no path': () => ({ mode: 'path', path: '' }),
  'a path with a NUL': () => ({ mode: 'path', path: '/tmp/\0' }),
  'a path that leads nowhere': ({ folder }) => ({ mode: 'path', path: join(folder, 'none') }),
  'a memory file that can shrink': (scene) => {
    const descriptor = scene.native.createMemfd('not-sealed')
    const at = byDescriptor(scene, descriptor)
    fs.writeSync(descriptor, fs.readFileSync(copy(scene)), 0, scene.good.bytes, 0)
    return at
  },
  'a file on disk by its descriptor': (scene) => byDescriptor(scene, fs.openSync(copy(scene), 'r+')),
  'the descriptor of a FIFO': (scene) => {
    const path = join(scene.folder, 'fifo')
    execFileSync('mkfifo', ['-m', '600', path])
    return byDescriptor(scene, fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK))
  },
  'the descriptor of a directory': (scene) => byDescriptor(scene, fs.openSync(scene.folder, 'r')),
  'a descriptor that is not there': () => ({ mode: 'descriptor', pid: process.pid, descriptor: 0x7fff_ffff }),
  'a process that is not there': () => ({ mode: 'descriptor', pid: 0xffff_ffff, descriptor: 0 }),
}

declare('a segment is opened by descriptor and by path, so that what follows fails for its own reason', async (t) => {
  await inScene(t.is, ({ native, good, goodPath }, ledger) => {
    for (const offer of [good, goodPath]) openSegment(native, ledger, offer).release()
  })
})

for (const [what, make] of Object.entries(offers)) {
  declare(`${what} in the place of a segment is refused and left as it is`, async (t) => {
    await inScene(t.is, (scene, ledger) => {
      const at = make(scene)
      const path = at.mode === 'path' ? at.path : ''
      const look = (): unknown => {
        if (path === '' || path.includes('\0') || !fs.existsSync(path)) return undefined
        const { size, mtimeMs, mode } = fs.lstatSync(path)
        return [size, mtimeMs, mode]
      }
      const before = look()
      const { segments, mappings } = ledger.snapshot().byKind
      t.throws(() => openSegment(scene.native, ledger, { ...scene.goodPath, at }))
      t.deepEqual(look(), before)
      t.deepEqual(ledger.snapshot().byKind.mappings, mappings, 'nothing was mapped')
      t.deepEqual(ledger.snapshot().byKind.segments, segments)
    })
  })
}

declare('a segment with another nonce is refused', async (t) => {
  await inScene(t.is, ({ native, good, goodPath }, ledger) => {
    for (const offer of [good, goodPath])
      t.throws(() => openSegment(native, ledger, { ...offer, nonce: Buffer.alloc(16) }))
  })
})

;(isRoot ? declare : test.serial.skip)("another user's file is refused (needs root)", async (t) => {
  await inScene(t.is, (scene, ledger) => {
    const path = copy(scene)
    fs.chownSync(path, NOBODY, NOBODY)
    t.throws(() => openSegment(scene.native, ledger, { ...scene.goodPath, at: { mode: 'path', path } }), {
      message: /not of this user/,
    })
  })
})

declare('a file on a path is for this user alone, and gone once it is withdrawn', async (t) => {
  const folder = await makeTemporaryFolder()
  try {
    await withEnvironment({ TMPDIR: folder.path }, async () => {
      if (memory === undefined) return
      const mask = process.umask(0o077)
      const made = makeSegment(memory, new Ledger(), 'path', SIZES)
      process.umask(mask)
      const { at } = made.offer
      if (at.mode !== 'path') throw new Error('it was to have a path')
      const { mode, uid } = fs.statSync(at.path)
      t.is(mode & 0o777, 0o600)
      t.is(uid, process.getuid?.() ?? -1)
      t.is(fs.statSync(join(at.path, '..')).mode & 0o777, 0o700)
      made.withdraw()
      t.deepEqual(await folder.list(), [])
      made.segment.release()
    })
  } finally {
    await folder.remove()
  }
})

async function inScene(
  is: (a: unknown, b: unknown, what: string) => void,
  body: (scene: Scene, ledger: Ledger) => void,
): Promise<void> {
  if (memory === undefined) throw new Error('there is no memory to share')
  const folder = await makeTemporaryFolder()
  const ledger = new Ledger()
  const ends: (() => void)[] = []
  const descriptors = (): number => fs.readdirSync('/proc/self/fd').length
  try {
    await withEnvironment({ TMPDIR: folder.path }, () => {
      const before = descriptors()
      const byNumber = makeSegment(memory, ledger, 'descriptor', SIZES)
      const byPath = makeSegment(memory, ledger, 'path', SIZES)
      const later = (end: () => void): void => void ends.push(end)
      const scene = { native: memory, good: byNumber.offer, goodPath: byPath.offer, folder: folder.path, later }
      try {
        body(scene, ledger)
      } finally {
        for (const end of ends) end()
        for (const { segment, withdraw } of [byNumber, byPath]) {
          withdraw()
          segment.release()
        }
      }
      is(descriptors(), before, 'descriptors')
      is(ledger.report().leaked, 0, 'leaked')
      return Promise.resolve()
    })
  } finally {
    await folder.remove()
  }
}
