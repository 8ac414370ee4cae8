/** The frames of one `sendBatch()`, looked at before any of them is taken: all of them are, or none. */
import { describe, isArray } from './describe.js'
import { assertFrameable, assertLength, encodeText, isBytes, lengthOf, type Frame } from './frame.js'
import { TransportError } from '../protocol/errors.js'
import type { Framing, FramingKind } from '../protocol/framing.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'

/** A frame whose text is encoded. */
export type Encoded = Uint8Array | readonly Uint8Array[]

/** Nothing of a user's runs any more while it is written: all that looking at the frames can run has run. */
export interface Batch {
  readonly frames: readonly Encoded[]
  /** Bytes of each frame. */
  readonly lengths: readonly number[]
  readonly payloadBytes: number
  /** Headers included. */
  readonly ringBytes: number
  readonly longest: number
}

/** What a connection takes. */
export interface FrameRules {
  readonly endpoint: string
  readonly maxFrameBytes: number
  readonly framing: Framing
}

/** @throws {TransportError} ERR_INVALID_FRAME */
export function assertBatch(frames: unknown, endpoint: string): void {
  if (isArray(frames)) return
  const message = `sendBatch() takes an array of frames; got ${describe(frames)}. Send one frame with send().`
  throw new TransportError('ERR_INVALID_FRAME', message, { endpoint })
}

/** @throws {TransportError} ERR_INVALID_FRAME, ERR_FRAME_TOO_LARGE, ERR_OUT_OF_MEMORY */
export function batchOf(frames: readonly Frame[], rules: FrameRules): Batch {
  const { endpoint, maxFrameBytes } = rules
  const own: Encoded[] = []
  const lengths: number[] = []
  let payloadBytes = 0
  let longest = 0
  for (let i = 0; i < frames.length; i++) {
    try {
      const bytes = checked(frames[i], rules)
      const length = sizeOf(bytes)
      assertLength(length, maxFrameBytes, endpoint)
      own.push(bytes)
      lengths.push(length)
      payloadBytes += length
      longest = Math.max(longest, length)
    } catch (error) {
      throw inBatch(error, i, endpoint)
    }
  }
  assertUnchanged(own, lengths, endpoint)
  return { frames: own, lengths, payloadBytes, ringBytes: payloadBytes + own.length * FRAME_HEADER_BYTES, longest }
}

/** Whether there are frames that the framing cannot carry. */
export function isPickyFraming(kind: FramingKind): boolean {
  return kind === 'line' || kind === 'nul' || kind === 'raw'
}

/** `waiting` bytes would have to wait if all of it were taken. */
export function batchBackpressure(waiting: number, maxPendingBytes: number, endpoint: string): TransportError {
  return new TransportError(
    'ERR_BACKPRESSURE',
    `with this batch ${String(waiting)} bytes would wait, and maxPendingBytes is ${String(maxPendingBytes)}. None of its frames was taken: wait for ready() when a send returns false, and send less at a time.`,
    { endpoint },
  )
}

function checked(frame: unknown, { endpoint, framing }: FrameRules): Encoded {
  const bytes = encodeText(frame as Frame, endpoint)
  if (isPickyFraming(framing.kind)) assertFrameable(framing, bytes, endpoint)
  return bytes
}

/** An element that is computed may take away the memory of one that was looked at before. */
function assertUnchanged(frames: readonly Encoded[], lengths: readonly number[], endpoint: string): void {
  for (const [i, frame] of frames.entries()) {
    if (sizeOf(frame) === lengths[i]) continue
    const message = 'its length changed while the others were looked at. Send a copy.'
    throw inBatch(new TransportError('ERR_INVALID_FRAME', message, { endpoint }), i, endpoint)
  }
}

function sizeOf(frame: Encoded): number {
  return isBytes(frame) ? frame.length : lengthOf(frame)
}

function inBatch(error: unknown, index: number, endpoint: string): TransportError {
  const where = `frame ${String(index)} of a batch, of which none was taken`
  if (error instanceof TransportError)
    return new TransportError(error.code, `${where}: ${error.message}`, { cause: error.cause, endpoint })
  const message = `${where}: reading it failed. See the cause.`
  return new TransportError('ERR_INVALID_FRAME', message, { cause: error, endpoint })
}
