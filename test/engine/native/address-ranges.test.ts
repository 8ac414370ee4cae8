/** Which addresses are mapped again, and which never: without a system that would have to fail for it. */
import { constants } from 'node:os'
import process from 'node:process'
import test from 'ava'
import { AddressRanges } from '../../../engine/native/address-ranges.js'
import type { Part, PartMemory } from '../../../engine/native/part-memory.js'

/** Numbers of no system: each is a bit of its own. */
const platform = {
  PROT_READ: 1,
  PROT_WRITE: 2,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_FIXED: 4,
  MAP_ANONYMOUS: 8,
  MAP_NORESERVE: 16,
} as const
const names = new Map([
  [platform.MAP_SHARED, 'file'],
  [platform.MAP_SHARED | platform.MAP_FIXED, 'file over'],
  [platform.MAP_PRIVATE | platform.MAP_FIXED | platform.MAP_ANONYMOUS | platform.MAP_NORESERVE, 'nothing over'],
])
/** Whether V8 would find addresses beside a range. */
const ROOM_FLAGS = platform.MAP_PRIVATE | platform.MAP_ANONYMOUS | platform.MAP_NORESERVE
const ROOM_AT = 0x7000_0000n

/** Writes down what is mapped, and fails when it is told to. */
class FakeCalls {
  asked: string[] = []
  failing: boolean[] = []
  hasRoom = true
  readonly own = {
    system: 'linux',
    munmap: (address: bigint): number => {
      if (address !== ROOM_AT) this.asked.push(`unmapped ${address.toString(16)}`)
      return 0
    },
  } as const
  #next = 0x1000n

  errno(): number {
    return constants.errno.ENOMEM
  }

  mmap(address: bigint, length: number, protection: number, flags: number): bigint {
    if (protection !== (platform.PROT_READ | platform.PROT_WRITE)) throw new Error('to be read and written')
    if (flags === ROOM_FLAGS) return this.hasRoom ? ROOM_AT : -1n
    const isFixed = (flags & platform.MAP_FIXED) !== 0
    const mapped = isFixed ? address : this.#next
    if (!isFixed) this.#next += BigInt(length)
    const hasFailed = this.failing.shift() === true
    this.asked.push(`${names.get(flags) ?? String(flags)} ${mapped.toString(16)}${hasFailed ? ' failed' : ''}`)
    return hasFailed ? -1n : mapped
  }

  view(_address: bigint, length: number): ArrayBuffer {
    return new ArrayBuffer(length)
  }

  /** Since it was asked the last time. */
  takeAsked(): string[] {
    const { asked } = this
    this.asked = []
    return asked
  }
}

/** Writes down for which parts memory is taken and given back. */
class FakeParts implements PartMemory {
  readonly needsDescriptor = true
  readonly asked: string[] = []

  reserve(part: Part): void {
    this.#write('reserve', part)
  }

  discard(part: Part): void {
    this.#write('discard', part)
  }

  #write(what: string, { address, fd, offset, length }: Part): void {
    this.asked.push(`${what} ${address.toString(16)} ${String(fd)} ${String(offset)}+${String(length)}`)
  }
}

const PAGE = 0x1000

/** Windows has other numbers of errors, and no native memory. */
const onUnix = process.platform === 'win32' ? test.skip : test

onUnix('a range is used again for the same length only, the one that was released last first', (t) => {
  const calls = new FakeCalls()
  const ranges = new AddressRanges(calls, platform, new FakeParts())
  const [one, two] = [ranges.map(3, PAGE), ranges.map(3, PAGE)]
  one.release()
  two.release()
  t.deepEqual(calls.takeAsked(), ['file 1000', 'file 2000', 'nothing over 1000', 'nothing over 2000'])
  ranges.map(3, 2 * PAGE)
  ranges.map(3, PAGE)
  ranges.map(3, PAGE)
  ranges.map(3, PAGE)
  t.deepEqual(calls.takeAsked(), ['file 3000', 'file over 2000', 'file over 1000', 'file 5000'])
})

onUnix('a mapping that is released twice is used again once', (t) => {
  const calls = new FakeCalls()
  const ranges = new AddressRanges(calls, platform, new FakeParts())
  const mapping = ranges.map(3, PAGE)
  mapping.release()
  ranges.map(3, PAGE)
  mapping.release()
  ranges.map(3, PAGE)
  t.deepEqual(calls.takeAsked(), ['file 1000', 'nothing over 1000', 'file over 1000', 'file 2000'])
})

onUnix('small views stay with the range, large ones go with the mapping', (t) => {
  const ranges = new AddressRanges(new FakeCalls(), platform, new FakeParts())
  const length = 256 * PAGE
  const mapping = ranges.map(3, length)
  const small = mapping.view(PAGE, 16 * PAGE)
  const large = mapping.view(PAGE, 17 * PAGE)
  t.is(mapping.view(PAGE, 17 * PAGE), large)
  mapping.release()
  const next = ranges.map(3, length)
  t.is(next.view(PAGE, 16 * PAGE), small)
  t.not(next.view(PAGE, 17 * PAGE), large)
})

onUnix('a range that nothing could be mapped over is never used again', (t) => {
  const calls = new FakeCalls()
  const ranges = new AddressRanges(calls, platform, new FakeParts())
  const mapping = ranges.map(3, PAGE)
  calls.failing = [true]
  mapping.release()
  mapping.release()
  ranges.map(3, PAGE)
  t.deepEqual(calls.takeAsked(), ['file 1000', 'nothing over 1000 failed', 'file 2000'])
})

onUnix('a file that cannot be mapped over a range leaves no hole there, and the range can be used again', (t) => {
  const calls = new FakeCalls()
  const ranges = new AddressRanges(calls, platform, new FakeParts())
  ranges.map(3, PAGE).release()
  calls.takeAsked()
  calls.failing = [true]
  t.throws(() => ranges.map(4, PAGE), { code: 'ENOMEM', message: 'mmap ENOMEM' })
  ranges.map(3, PAGE)
  t.deepEqual(calls.takeAsked(), ['file over 1000 failed', 'nothing over 1000', 'file over 1000'])
})

onUnix('a file that cannot be mapped anywhere takes no range', (t) => {
  const calls = new FakeCalls()
  const ranges = new AddressRanges(calls, platform, new FakeParts())
  calls.failing = [true]
  t.throws(() => ranges.map(4, PAGE), { code: 'ENOMEM' })
  t.deepEqual(calls.takeAsked(), ['file 1000 failed'])
})

onUnix('a new range that would leave V8 no addresses is given up, and one that is there already is used', (t) => {
  const calls = new FakeCalls()
  const ranges = new AddressRanges(calls, platform, new FakeParts())
  ranges.map(3, PAGE).release()
  calls.takeAsked()
  calls.hasRoom = false
  ranges.map(3, PAGE)
  t.throws(() => ranges.map(4, PAGE), { code: 'ENOMEM', message: 'mmap ENOMEM' })
  t.deepEqual(calls.takeAsked(), ['file over 1000', 'file 2000', 'unmapped 2000'])
})

onUnix('memory is taken and given back for parts of the file that is mapped now, and for none other', (t) => {
  const parts = new FakeParts()
  const ranges = new AddressRanges(new FakeCalls(), platform, parts)
  const mapping = ranges.map(3, 4 * PAGE)
  t.true(mapping.needsDescriptor)
  mapping.reserve(PAGE, 2 * PAGE)
  mapping.discard(2 * PAGE, 2 * PAGE)
  t.deepEqual(parts.asked.splice(0), ['reserve 2000 3 4096+8192', 'discard 3000 3 8192+8192'])
  for (const [offset, length] of [
    [-1, PAGE],
    [PAGE, 4 * PAGE],
    [0, 0],
  ] as const) {
    t.throws(() => mapping.reserve(offset, length), { instanceOf: RangeError })
    t.throws(() => mapping.discard(offset, length), { instanceOf: RangeError })
  }
  mapping.release()
  const next = ranges.map(4, 4 * PAGE)
  t.throws(() => mapping.reserve(0, PAGE), { message: 'the mapping is released' })
  mapping.discard(0, PAGE)
  t.deepEqual(parts.asked, [])
  next.discard(0, PAGE)
  t.deepEqual(parts.asked, ['discard 1000 4 0+4096'])
})
