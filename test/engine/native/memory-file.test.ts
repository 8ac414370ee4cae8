import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { memoryFile, takenBytes } from '../../helpers/memory-file.js'
import { nativeMemories } from '../../helpers/native-memories.js'
import { smallFileSystem } from '../../helpers/small-file-system.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const PAGE = 4096
const PAGES = 64

failOnWarnings()

for (const memory of nativeMemories.filter(({ hasMemfd }) => hasMemfd)) {
  const { provider } = memory

  test(`${provider}: a file in memory is empty, has no name, and is closed on exec`, (t) => {
    const fd = memoryFile(t, memory, 0)
    t.is(fs.fstatSync(fd).size, 0)
    t.is(fs.fstatSync(fd).nlink, 0)
    t.regex(fs.readFileSync(`/proc/self/fdinfo/${String(fd)}`, 'utf8'), /^flags:\s+02\d{6}$/m)
  })

  test(`${provider}: a file whose size is sealed can neither shrink nor grow, nor get another seal`, (t) => {
    const fd = memoryFile(t, memory, PAGE)
    t.false(memory.isSizeSealed(fd))
    memory.sealSize(fd)
    t.true(memory.isSizeSealed(fd))
    for (const length of [0, PAGE - 1, 2 * PAGE]) t.throws(() => fs.ftruncateSync(fd, length), { code: 'EPERM' })
    t.throws(() => memory.reserve(fd, 0, 2 * PAGE), { code: 'EPERM', message: 'fallocate EPERM' })
    t.throws(() => memory.sealSize(fd), { code: 'EPERM', message: 'fcntl EPERM' })
    t.is(fs.writeSync(fd, 'x', 0), 1)
  })

  test(`${provider}: an ordinary file, and one that is closed, are not sealed`, async (t) => {
    const folder = await makeTemporaryFolder()
    try {
      const fd = fs.openSync(join(folder.path, 'ordinary'), 'w+')
      t.false(memory.isSizeSealed(fd))
      t.throws(() => memory.sealSize(fd), { message: /^fcntl E/ })
      fs.closeSync(fd)
      t.false(memory.isSizeSealed(-1))
    } finally {
      await folder.remove()
    }
  })

  test(`${provider}: errors are as Node's own`, (t) => {
    const error = t.throws<NodeJS.ErrnoException>(() => memory.sealSize(-1))
    t.like(error, { code: 'EBADF', syscall: 'fcntl', message: 'fcntl EBADF' })
    t.is(error.errno, t.throws<NodeJS.ErrnoException>(() => fs.fstatSync(2 ** 31 - 1)).errno)
    t.throws(() => memory.createMemfd('n'.repeat(300)), { code: 'EINVAL', message: 'memfd_create EINVAL' })
    t.throws(() => memory.peerOf(-1), { code: 'EBADF', message: 'getsockopt EBADF' })
  })

  test(`${provider}: what is reserved takes memory before it is used, keeps what it held, and takes none when used`, (t) => {
    const fd = memoryFile(t, memory, PAGES * PAGE)
    memory.sealSize(fd)
    t.is(takenBytes(fd), 0)
    memory.reserve(fd, 0, PAGE)
    t.is(takenBytes(fd), PAGE)
    fs.writeSync(fd, 'kept', 0)
    memory.reserve(fd, 0, 4 * PAGE)
    memory.reserve(fd, 16 * PAGE, 2 * PAGE)
    t.is(takenBytes(fd), 6 * PAGE)
    const mapping = memory.map(fd, PAGES * PAGE)
    try {
      t.is(Buffer.from(mapping.view(0, PAGE)).toString('latin1', 0, 5), 'kept\0')
      new Uint8Array(mapping.view(PAGE, 3 * PAGE)).fill(7)
      new Uint8Array(mapping.view(16 * PAGE, 2 * PAGE)).fill(7)
      t.is(takenBytes(fd), 6 * PAGE)
    } finally {
      mapping.release()
    }
  })

  test(`${provider}: reserving more than a full file system has is ENOSPC, and takes nothing`, async (t) => {
    const folder = await smallFileSystem(4 * PAGE)
    try {
      if (folder === undefined) {
        t.log('this user cannot mount a file system')
        t.pass()
        return
      }
      const fd = fs.openSync(join(folder.path, 'file'), 'w+')
      try {
        fs.ftruncateSync(fd, PAGES * PAGE)
        memory.reserve(fd, 0, 2 * PAGE)
        const before = takenBytes(fd)
        t.throws(() => memory.reserve(fd, 2 * PAGE, 32 * PAGE), { code: 'ENOSPC', message: 'fallocate ENOSPC' })
        t.is(takenBytes(fd), before)
        memory.reserve(fd, 2 * PAGE, PAGE)
      } finally {
        fs.closeSync(fd)
      }
    } finally {
      await folder?.remove()
    }
  })
}

const known = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) ? test : test.skip

known('the tests of this folder run with koffi', (t) => {
  t.true(nativeMemories.some(({ provider }) => provider === 'koffi'))
})
