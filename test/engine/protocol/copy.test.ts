import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { copyIn, copyOut } from '../../../engine/protocol/copy.js'
import { BufferView } from '../../../engine/internals/buffer-view.js'
import { patternBytes } from '../../helpers/random.js'
import { holds } from '../../helpers/property.js'

const source = patternBytes(20_000, 3)
const MEMORY = 16_384

/** Short, long, and around the length where the way of copying changes. */
const anyLength = fc.oneof(fc.nat(20), fc.integer({ min: 120, max: 140 }), fc.nat(8000))

function sharedBytes(): Buffer {
  const memory = new SharedArrayBuffer(MEMORY)
  return new BufferView(memory, 0, MEMORY).fill(0x5a)
}

/** Whether `bytes` hold `expected` at `at` and filling everywhere else. */
function assertOnly(bytes: Buffer, at: number, expected: Uint8Array): void {
  assert.ok(bytes.subarray(at, at + expected.length).equals(expected))
  assert.ok(bytes.subarray(0, at).every((byte) => byte === 0x5a))
  assert.ok(bytes.subarray(at + expected.length).every((byte) => byte === 0x5a))
}

test('bytes of any alignment are copied into shared memory, and no byte beside them changes', (t) => {
  holds(
    t,
    fc.property(fc.nat(9000), anyLength, fc.nat(MEMORY - 8000), fc.boolean(), (from, length, at, asBuffer) => {
      const bytes = sharedBytes()
      const piece = source.subarray(from, from + length)
      copyIn(bytes, at, asBuffer ? piece : new Uint8Array(piece.buffer, piece.byteOffset, piece.length))
      assertOnly(bytes, at, piece)
    }),
  )
})

test('bytes of any alignment are copied out of shared memory, and no byte beside them changes', (t) => {
  const shared = new BufferView(new SharedArrayBuffer(20_000), 0, 20_000)
  shared.set(source)
  holds(
    t,
    fc.property(fc.nat(9000), anyLength, fc.nat(MEMORY - 8000), (from, length, at) => {
      const target = Buffer.alloc(MEMORY, 0x5a)
      copyOut(shared, from, length, target, at)
      assertOnly(target, at, source.subarray(from, from + length))
    }),
  )
})

test('a source that is itself a part of shared memory is found at its own offset', (t) => {
  const memory = new SharedArrayBuffer(1000)
  const part = new BufferView(memory, 300, 500)
  part.set(source.subarray(0, 500))
  const target = Buffer.alloc(300)
  copyOut(part, 100, 200, target, 50)
  t.deepEqual(target.subarray(50, 250), Buffer.from(source.subarray(100, 300)))
})
