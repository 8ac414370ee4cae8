/** Batches of frames that a test makes. */
import { FrameRun } from '../../engine/connection/frame-run.js'
import { LentBatch } from '../../engine/connection/lent-batch.js'
import { encodeFrame } from './lane-fixture.js'

/** These frames, as they lie in a ring that begins somewhere in its memory. */
export function batchOf(frames: readonly Uint8Array[]): LentBatch {
  const run = new FrameRun()
  const before = Buffer.alloc(40, 0xee)
  let end = before.length
  const encoded = frames.map((frame, i) => {
    const bytes = encodeFrame(frame)
    end += bytes.length
    run.set(i, end - frame.length, frame.length)
    return bytes
  })
  const memory = new SharedArrayBuffer(end)
  Buffer.concat([before, ...encoded]).copy(Buffer.from(memory))
  return new LentBatch(memory, run, frames.length)
}
