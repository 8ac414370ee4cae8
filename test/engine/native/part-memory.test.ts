/** Memory for parts of a file: with calls that are made up, on pages that are larger than a part. */
import { constants } from 'node:os'
import process from 'node:process'
import test from 'ava'
import { partMemoryOf, type Part, type PartMemory } from '../../../engine/native/part-memory.js'
import type { SystemCalls } from '../../../engine/native/system-calls.js'

const { EFAULT, EINTR, EINVAL } = constants.errno
const PAGE = 0x10000
const REMOVE = 9
const POPULATE = 23

/** The calls that were made, of a system whose `madvise` fails with these numbers in turn. */
function madviseThatFails(...failures: readonly number[]): { readonly parts: PartMemory; readonly made: string[] } {
  const left = [...failures]
  const made: string[] = []
  let errno = 0
  const never = (): never => {
    throw new Error('nobody calls it')
  }
  const calls: SystemCalls = {
    provider: 'koffi',
    errno: () => errno,
    mmap: never,
    view: never,
    getsockopt: never,
    own: {
      system: 'linux',
      memfdCreate: never,
      fcntl: never,
      fallocate: (...values) => {
        made.push(`fallocate ${values.join(' ')}`)
        return 0
      },
      madvise: (address, length, advice) => {
        made.push(`madvise ${address.toString(16)} ${length.toString(16)} ${String(advice)}`)
        errno = left.shift() ?? 0
        return errno === 0 ? 0 : -1
      },
      getpagesize: () => PAGE,
      munmap: never,
      close: never,
    },
  }
  return { parts: partMemoryOf(calls, 0x50000n), made }
}

const part = (address: bigint, length: number): Part => ({ address, fd: 3, offset: 4096, length })

/** Windows has other numbers of errors, and no native memory. */
const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('a system that takes memory by address is tried once, and needs no descriptor', (t) => {
  const { parts, made } = madviseThatFails()
  t.false(parts.needsDescriptor)
  parts.reserve(part(0x100000n, 2 * PAGE))
  parts.discard(part(0x100000n, 2 * PAGE))
  t.deepEqual(made, [
    `madvise 50000 10000 ${String(POPULATE)}`,
    `madvise 100000 20000 ${String(POPULATE)}`,
    `madvise 100000 20000 ${String(REMOVE)}`,
  ])
})

onUnix('a system that knows no memory by address works by the descriptor', (t) => {
  const { parts, made } = madviseThatFails(EINVAL)
  t.true(parts.needsDescriptor)
  parts.reserve(part(0x100000n, PAGE))
  parts.discard(part(0x100000n, PAGE))
  t.deepEqual(made.slice(1), [`fallocate 3 0 4096 ${String(PAGE)}`, `fallocate 3 3 4096 ${String(PAGE)}`])
})

onUnix('memory is taken for all pages that a part touches, and given back for those that it has alone', (t) => {
  const { parts, made } = madviseThatFails()
  for (const use of [(each: Part) => parts.reserve(each), (each: Part) => parts.discard(each)]) {
    use(part(0x101000n, 0x1000))
    use(part(0x101000n, 0x20000))
    use(part(0x10f000n, 0x1000))
    use(part(0x10f000n, 0x11000))
  }
  t.deepEqual(made.slice(1), [
    `madvise 100000 2000 ${String(POPULATE)}`,
    `madvise 100000 21000 ${String(POPULATE)}`,
    `madvise 100000 10000 ${String(POPULATE)}`,
    `madvise 100000 20000 ${String(POPULATE)}`,
    `madvise 110000 10000 ${String(REMOVE)}`,
    `madvise 110000 10000 ${String(REMOVE)}`,
  ])
})

onUnix('taking memory goes on after a signal, and gives back what it has if there is not enough', (t) => {
  const { parts, made } = madviseThatFails(0, EINTR, EFAULT)
  t.throws(() => parts.reserve(part(0x100000n, PAGE)), { code: 'EFAULT', message: 'madvise EFAULT' })
  t.deepEqual(made.slice(1), [
    `madvise 100000 10000 ${String(POPULATE)}`,
    `madvise 100000 10000 ${String(POPULATE)}`,
    `madvise 100000 10000 ${String(REMOVE)}`,
  ])
})
