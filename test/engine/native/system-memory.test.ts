/** What the systems do that these tests do not run on: with calls that are made up, and files that are not. */
import fs from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { partMemoryOf } from '../../../engine/native/part-memory.js'
import { platformOf } from '../../../engine/native/platform.js'
import type { SystemCalls } from '../../../engine/native/system-calls.js'
import { SystemMemory } from '../../../engine/native/system-memory.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const { EBADF, EINTR, EINVAL, EOPNOTSUPP } = constants.errno
/** Not a whole number of the pieces that zeros are written in. */
const LENGTH = 200_000
const CLOEXEC_AND_SEALABLE = 3
const NOEXEC = 8

function memoryWith(
  own: SystemCalls['own'],
  errno: () => number,
  getsockopt: SystemCalls['getsockopt'] = () => -1,
): SystemMemory {
  const platform = platformOf(own.system, 'arm64')
  if (platform === undefined) throw new Error(`${own.system} is known`)
  const mmap = (): bigint => -1n
  const view = (_: unknown, length: number): ArrayBuffer => new ArrayBuffer(length)
  const calls: SystemCalls = { provider: 'koffi', errno, mmap, view, getsockopt, own }
  return new SystemMemory(calls, platform, partMemoryOf(calls, 0n))
}

/** Linux whose calls fail with these numbers in turn, and then return 7. */
function linuxThatFails(...failures: readonly number[]): { readonly memory: SystemMemory; readonly made: string[] } {
  const left = [...failures]
  const made: string[] = []
  let errno = 0
  const call =
    (name: string) =>
    (...values: readonly unknown[]): number => {
      made.push([name, ...values].join(' '))
      errno = left.shift() ?? 0
      return errno === 0 ? 7 : -1
    }
  const own = {
    system: 'linux',
    memfdCreate: call('memfd'),
    fcntl: call('fcntl'),
    fallocate: call('fallocate'),
    madvise: () => -1,
    getpagesize: () => 4096,
    munmap: call('munmap'),
    close: call('close'),
  } as const
  return { memory: memoryWith(own, () => errno), made }
}

/** A file of `LENGTH` bytes that are no zeros. */
async function withFile(t: ExecutionContext, use: (fd: number) => void): Promise<void> {
  const folder = await makeTemporaryFolder()
  try {
    const fd = fs.openSync(join(folder.path, 'file'), 'w+')
    fs.writeSync(fd, Buffer.alloc(LENGTH, 1))
    use(fd)
    t.is(fs.fstatSync(fd).size, LENGTH)
    fs.closeSync(fd)
  } finally {
    await folder.remove()
  }
}

function zerosOf(fd: number): string {
  const bytes = Buffer.alloc(LENGTH)
  fs.readSync(fd, bytes, 0, LENGTH, 0)
  return `${String(bytes.indexOf(0))} to ${String(bytes.lastIndexOf(0))}, ${String(bytes.filter((byte) => byte === 0).length)}`
}

/** Windows has other numbers of errors, and no native memory. */
const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('on macOS there is no file in memory, no seal, and zeros are written where memory is reserved', async (t) => {
  const memory = memoryWith({ system: 'darwin', getpeereid: () => -1 }, () => EBADF)
  t.false(memory.hasMemfd)
  t.throws(() => memory.createMemfd('x'), { code: 'ENOSYS' })
  t.throws(() => memory.sealSize(0), { code: 'ENOSYS' })
  t.throws(() => memory.peerOf(0), { code: 'EBADF' })
  await withFile(t, (fd) => {
    t.false(memory.isSizeSealed(fd))
    memory.reserve(fd, 1000, 150_000)
    t.is(zerosOf(fd), '1000 to 150999, 150000')
  })
})

onUnix('on macOS the user comes from one call and the process, if it is told, from another', (t) => {
  const getpeereid = (_: number, uid: Uint32Array): number => {
    uid[0] = 4_000_000_000
    return 0
  }
  const own = { system: 'darwin', getpeereid } as const
  const peer = memoryWith(
    own,
    () => 0,
    (_socket, _level, _option, value) => {
      value[0] = 99
      return 0
    },
  ).peerOf(5)
  t.deepEqual(peer, { uid: 4_000_000_000, pid: 99 })
  t.deepEqual(memoryWith(own, () => EINVAL).peerOf(5), { uid: 4_000_000_000, pid: undefined })
})

onUnix('a process that is in a namespace of its own has no number here', (t) => {
  const getsockopt = (_s: number, _l: number, _o: number, value: Uint32Array): number => {
    value.set([0, 1000, 1000])
    return 0
  }
  const call = (): number => 0
  const own = {
    system: 'linux',
    memfdCreate: call,
    fcntl: call,
    fallocate: call,
    madvise: call,
    getpagesize: () => 4096,
    munmap: call,
    close: call,
  } as const
  t.deepEqual(memoryWith(own, () => 0, getsockopt).peerOf(5), { uid: 1000, pid: undefined })
})

onUnix('a reservation that a signal interrupts is made again', (t) => {
  const { memory, made } = linuxThatFails(EINTR, EINTR)
  memory.reserve(3, 10, 20)
  t.deepEqual(
    made,
    Array.from({ length: 3 }, () => 'fallocate 3 0 10 20'),
  )
})

onUnix('where a file system reserves nothing, zeros are written', async (t) => {
  await withFile(t, (fd) => {
    linuxThatFails(EOPNOTSUPP).memory.reserve(fd, 0, 70_000)
    t.is(zerosOf(fd), '0 to 69999, 70000')
  })
})

onUnix('a system that does not know the newest flag of files in memory gets the others', (t) => {
  const { memory, made } = linuxThatFails(EINVAL)
  t.is(memory.createMemfd('name'), 7)
  t.deepEqual(made, [
    `memfd name ${String(CLOEXEC_AND_SEALABLE | NOEXEC)}`,
    `memfd name ${String(CLOEXEC_AND_SEALABLE)}`,
  ])
})
