import test from 'ava'
import { BufferView } from '../../../engine/internals/buffer-view.js'

for (const Memory of [ArrayBuffer, SharedArrayBuffer]) {
  test(`a view of a part of ${Memory.name} memory is a Buffer over that part`, (t) => {
    const memory = new Memory(64)
    const view = new BufferView(memory, 8, 16)
    t.true(Buffer.isBuffer(view))
    t.deepEqual([view.buffer, view.byteOffset, view.length], [memory, 8, 16])
    view.writeUInt8(7, 0)
    t.is(new Uint8Array(memory)[8], 7)
    t.throws(() => new BufferView(memory, 60, 16), { instanceOf: RangeError })
  })
}
