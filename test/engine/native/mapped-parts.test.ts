/** Memory for parts of files that are mapped: by address, and by the descriptor where a system cannot do that. */
import fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { memoryFile, takenBytes } from '../../helpers/memory-file.js'
import { nativeMemories, olderMemoryOf } from '../../helpers/native-memories.js'
import { smallFileSystem } from '../../helpers/small-file-system.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const PAGE = 4096
const PAGES = 64

failOnWarnings()

const known = nativeMemories.filter(({ hasMemfd }) => hasMemfd)
const ways = [
  ...known.map((memory) => [memory, 'as this system does it'] as const),
  ...known.flatMap(({ provider }) => {
    const memory = olderMemoryOf(provider)
    return memory === undefined ? [] : [[memory, 'on an older system'] as const]
  }),
]

for (const [memory, way] of ways) {
  const { provider } = memory

  test(`${provider}, ${way}: what is reserved takes memory before it is used, and keeps what it held`, (t) => {
    const fd = memoryFile(t, memory, PAGES * PAGE)
    memory.sealSize(fd)
    memory.reserve(fd, 0, PAGE)
    const mapping = memory.map(fd, PAGES * PAGE)
    try {
      Buffer.from(mapping.view(0, PAGE)).write('kept')
      mapping.reserve(0, 4 * PAGE)
      mapping.reserve(16 * PAGE, 2 * PAGE)
      t.is(takenBytes(fd), 6 * PAGE)
      t.is(Buffer.from(mapping.view(0, PAGE)).toString('latin1', 0, 5), 'kept\0')
      new Uint8Array(mapping.view(PAGE, 3 * PAGE)).fill(7)
      new Uint8Array(mapping.view(16 * PAGE, 2 * PAGE)).fill(7)
      t.is(takenBytes(fd), 6 * PAGE)
    } finally {
      mapping.release()
    }
  })

  test(`${provider}, ${way}: what is discarded gives its memory back, reads as zeros, and can be used again`, (t) => {
    const fd = memoryFile(t, memory, PAGES * PAGE)
    memory.sealSize(fd)
    const [mapping, other] = [memory.map(fd, PAGES * PAGE), memory.map(fd, PAGES * PAGE)]
    try {
      mapping.reserve(0, 8 * PAGE)
      const bytes = new Uint8Array(mapping.view(0, 8 * PAGE)).fill(9)
      other.discard(2 * PAGE, 4 * PAGE)
      t.is(takenBytes(fd), 4 * PAGE)
      t.is(fs.fstatSync(fd).size, PAGES * PAGE)
      bytes[3 * PAGE] = 5
      t.is(takenBytes(fd), 5 * PAGE)
      // Reading takes memory, too.
      t.deepEqual(
        Array.from({ length: 8 }, (_, page) => bytes[page * PAGE]),
        [9, 9, 0, 5, 0, 0, 9, 9],
      )
    } finally {
      mapping.release()
      other.release()
    }
  })

  test(`${provider}, ${way}: a mapping that is released leaves the file in its place alone`, (t) => {
    const length = (PAGES + 1) * PAGE
    const stale = memory.map(memoryFile(t, memory, length), length)
    stale.release()
    const fd = memoryFile(t, memory, length)
    const mapping = memory.map(fd, length)
    try {
      mapping.reserve(0, 2 * PAGE)
      stale.discard(0, 2 * PAGE)
      t.throws(() => stale.reserve(2 * PAGE, PAGE), { message: 'the mapping is released' })
      t.is(takenBytes(fd), 2 * PAGE)
    } finally {
      mapping.release()
    }
  })

  test(`${provider}, ${way}: a full file system is an error, takes nothing, and is no reason to end`, async (t) => {
    const folder = await smallFileSystem(4 * PAGE)
    if (folder === undefined) {
      t.log('this user cannot mount a file system')
      t.pass()
      return
    }
    try {
      const fd = fs.openSync(join(folder.path, 'file'), 'w+')
      fs.ftruncateSync(fd, PAGES * PAGE)
      const mapping = memory.map(fd, PAGES * PAGE)
      try {
        mapping.reserve(0, 2 * PAGE)
        t.throws(() => mapping.reserve(2 * PAGE, 32 * PAGE), { message: /^(?:madvise EFAULT|fallocate ENOSPC)$/ })
        t.is(takenBytes(fd), 2 * PAGE)
        mapping.reserve(2 * PAGE, PAGE)
        t.is(takenBytes(fd), 3 * PAGE)
      } finally {
        mapping.release()
        fs.closeSync(fd)
      }
    } finally {
      await folder.remove()
    }
  })
}

for (const memory of known) {
  const { provider } = memory

  test(`${provider}: only where memory is taken by address, the descriptor may be closed`, (t) => {
    const fd = memory.createMemfd('closed')
    fs.ftruncateSync(fd, PAGES * PAGE)
    const mapping = memory.map(fd, PAGES * PAGE)
    try {
      if (mapping.needsDescriptor) {
        t.log('this system takes memory by descriptor only')
        fs.closeSync(fd)
        t.pass()
        return
      }
      // The file stays within reach, by a descriptor that the mapping does not know.
      const seen = fs.openSync(`/proc/self/fd/${String(fd)}`, 'r')
      fs.closeSync(fd)
      mapping.reserve(4 * PAGE, 4 * PAGE)
      t.is(takenBytes(seen), 4 * PAGE)
      mapping.discard(4 * PAGE, 2 * PAGE)
      t.is(takenBytes(seen), 2 * PAGE)
      fs.closeSync(seen)
    } finally {
      mapping.release()
    }
  })

  test(`${provider}: an older system needs the descriptor`, (t) => {
    const older = olderMemoryOf(provider)
    const fd = memoryFile(t, memory, PAGE)
    const mapping = older?.map(fd, PAGE)
    t.true(mapping?.needsDescriptor)
    mapping?.release()
  })
}
