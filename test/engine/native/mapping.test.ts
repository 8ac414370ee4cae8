import fs from 'node:fs'
import process from 'node:process'
import test from 'ava'
import { ChildProgram } from '../../helpers/child-program.js'
import { detach } from '../../helpers/detach.js'
import { memoryFile } from '../../helpers/memory-file.js'
import { nativeMemories } from '../../helpers/native-memories.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 60_000
const PAGE = 4096
/** As the child program has it. */
const LENGTH = 24 * 1024 * 1024

failOnWarnings()

for (const memory of nativeMemories.filter(({ hasMemfd }) => hasMemfd)) {
  const { provider } = memory

  test(`${provider}: two mappings of a file, and the file itself, show the same bytes`, (t) => {
    const fd = memoryFile(t, memory, 4 * PAGE)
    const one = memory.map(fd, 4 * PAGE)
    const other = memory.map(fd, 4 * PAGE)
    try {
      Atomics.store(new Int32Array(one.view(PAGE, PAGE)), 3, 0x01020304)
      t.is(Atomics.load(new Int32Array(other.view(PAGE, PAGE)), 3), 0x01020304)
      const bytes = Buffer.alloc(4)
      fs.readSync(fd, bytes, 0, 4, PAGE + 12)
      t.deepEqual([...bytes], [4, 3, 2, 1])
      fs.writeSync(fd, bytes, 0, 4, PAGE + 16)
      t.is(new Int32Array(one.view(0, 2 * PAGE))[PAGE / 4 + 4], 0x01020304)
    } finally {
      one.release()
      other.release()
    }
  })

  test(`${provider}: who detaches a view that was lent detaches no other`, (t) => {
    const mapping = memory.map(memoryFile(t, memory, PAGE), PAGE)
    try {
      const words = new Int32Array(mapping.view(64, 128))
      const lent = mapping.lend(64, 128)
      words[1] = 17
      t.is(new Int32Array(lent)[1], 17)
      detach(lent)
      t.is(Atomics.load(words, 1), 17)
      t.is(new Int32Array(mapping.lend(64, 128))[1], 17)
      t.throws(() => mapping.lend(64, PAGE), { instanceOf: RangeError })
    } finally {
      mapping.release()
    }
    t.throws(() => mapping.lend(64, 128), { message: 'the mapping is released' })
  })

  test(`${provider}: a part has one view, and no view reaches outside the mapping`, (t) => {
    const mapping = memory.map(memoryFile(t, memory, PAGE), PAGE)
    t.is(mapping.length, PAGE)
    t.is(mapping.view(64, 128), mapping.view(64, 128))
    t.is(mapping.view(64, 128).byteLength, 128)
    t.not(mapping.view(64, 128), mapping.view(64, 64))
    for (const [offset, length] of [
      [-1, 1],
      [0, 0],
      [0, PAGE + 1],
      [PAGE, 1],
      [0.5, 1],
      [0, NaN],
      [2 ** 53, 1],
    ] as const) {
      t.throws(() => mapping.view(offset, length), { instanceOf: RangeError }, `${String(length)} at ${String(offset)}`)
    }
    mapping.release()
    t.throws(() => mapping.view(64, 128), { message: 'the mapping is released' })
  })

  test(`${provider}: a file that cannot be mapped is the system's error`, (t) => {
    const fd = memoryFile(t, memory, PAGE)
    t.throws(() => memory.map(fd, 0), { code: 'EINVAL', message: 'mmap EINVAL' })
    const device = fs.openSync('/dev/null', 'r+')
    t.throws(() => memory.map(device, PAGE), { code: 'ENODEV' })
    fs.closeSync(device)
    const readOnly = fs.openSync(`/proc/self/fd/${String(fd)}`, 'r')
    t.throws(() => memory.map(readOnly, PAGE), { code: 'EACCES' })
    fs.closeSync(readOnly)
  })

  test(`${provider}: a mapping that comes after another of its length shows its own file, by the same views`, (t) => {
    const length = 7 * PAGE
    const first = memory.map(memoryFile(t, memory, length), length)
    const view = first.view(0, PAGE)
    const large = first.view(0, length)
    new Uint8Array(view).fill(1)
    first.release()
    t.true(
      new Uint8Array(view).every((byte) => byte === 0),
      'what a stale view shows',
    )
    const second = memory.map(memoryFile(t, memory, length), length)
    try {
      t.is(second.view(0, PAGE), view)
      t.is(second.view(0, length), large)
      t.true(new Uint8Array(view).every((byte) => byte === 0))
    } finally {
      second.release()
    }
  })

  test(`${provider}: another process maps the same file by its path in /proc`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const fd = memoryFile(t, memory, LENGTH)
    memory.sealSize(fd)
    const mapping = memory.map(fd, LENGTH)
    try {
      const words = new Int32Array(mapping.view(0, PAGE))
      Atomics.store(words, 0, 1234)
      const path = `/proc/${String(process.pid)}/fd/${String(fd)}`
      const { code, lines, stderr } = await ChildProgram.start('native-memory', ['answer', provider, path]).exit
      t.deepEqual([code, lines, stderr], [0, ['1234'], ''])
      t.is(Atomics.load(words, 0), 1235)
    } finally {
      mapping.release()
    }
  })

  for (const [task, lines, title] of [
    ['keepStale', ['alive'], 'views outlive their mapping, and what comes in its place, without a crash'],
    ['mapAndRelease', ['few maps', 'little address space'], 'addresses are used again, however often files are mapped'],
  ] as const) {
    test(`${provider}: ${title}`, async (t) => {
      t.timeout(WATCHDOG_MS)
      const ended = await ChildProgram.start('native-memory', [task, provider]).exit
      t.deepEqual(ended, { code: 0, signal: null, lines: [...lines], stderr: '' })
    })
  }
}
