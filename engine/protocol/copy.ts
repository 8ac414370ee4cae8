/**
 * Copying between ordinary memory and shared memory, at the speed of memcpy.
 *
 * `TypedArray.prototype.set` is the obvious call and the wrong one: where either side is a SharedArrayBuffer, V8 copies
 * with relaxed atomics, byte by byte unless both addresses are aligned alike (2 GB/s, measured on Node 20 to 24; a
 * frame's place in a byte stream is rarely aligned). `Buffer.prototype.fill` with a pattern of exactly the range's
 * length is a single native memcpy (30 GB/s) behind 80 ns of call, so it wins from about 128 bytes on.
 * Figures in docs/decisions/copying.md. No two threads ever touch the same bytes at the same time: the positions of
 * the ring, which are atomic, see to that.
 */
import { BufferView } from '../internals/buffer-view.js'

const NATIVE_FROM_BYTES = 128

/** Copies all of `source` into shared memory at `at`. */
export function copyIn(target: Buffer, at: number, source: Uint8Array): void {
  const length = source.length
  if (length < NATIVE_FROM_BYTES || (isPlain(target) && isPlain(source))) target.set(source, at)
  else target.fill(source, at, at + length)
}

/** Whether each copy of it takes a native call: shared memory, and no few bytes. */
export function isDearToCopy(source: Uint8Array, length: number): boolean {
  return length >= NATIVE_FROM_BYTES && !isPlain(source)
}

/** Whether V8 takes it for memory of this process alone, as also what is mapped: then `set` is a memcpy too. */
function isPlain({ buffer }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer
}

/** Copies `length` bytes of shared memory from `from` into `target` at `at`. */
export function copyOut(source: Buffer, from: number, length: number, target: Buffer, at: number): void {
  if (length < NATIVE_FROM_BYTES || isPlain(source)) source.copy(target, at, from, from + length)
  else target.fill(new BufferView(source.buffer, source.byteOffset + from, length), at, at + length)
}
