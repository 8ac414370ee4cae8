/** The frames of one `sendBatch()`, looked at before any of them is taken: all of them are, or none. */
import { describe, isArray } from './describe.js'
import { assertFrameable, assertLength, encodeText, explainFrame, lengthOf, present, type Frame } from './frame.js'
import { TransportError } from '../protocol/errors.js'
import type { FramingKind } from '../protocol/framing.js'
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
  readonly framing: FramingKind
}

/** @throws {TransportError} ERR_INVALID_FRAME, ERR_FRAME_TOO_LARGE, ERR_OUT_OF_MEMORY */
export function batchOf(frames: readonly Frame[], rules: FrameRules): Batch {
  const { endpoint, maxFrameBytes } = rules
  if (!isArray(frames)) throw notABatch(frames, endpoint)
  const isPicky = isPickyFraming(rules.framing)
  const own: Encoded[] = []
  const lengths: number[] = []
  let payloadBytes = 0
  let longest = 0
  let i = 0
  try {
    for (; i < frames.length; i++) {
      const frame = frames[i] as Frame
      // Not by `instanceof` alone, which proxies pass too.
      const isView = frame instanceof Uint8Array && ArrayBuffer.isView(frame)
      const bytes = isView ? present(frame, endpoint) : encodeText(frame, endpoint)
      const length = isView ? frame.length : bytes instanceof Uint8Array ? bytes.length : lengthOf(bytes)
      if (isPicky) assertFrameable(rules.framing, bytes, endpoint)
      if (length > maxFrameBytes) assertLength(length, maxFrameBytes, endpoint)
      own.push(bytes)
      lengths.push(length)
      payloadBytes += length
      if (length > longest) longest = length
    }
  } catch (error) {
    throw inBatch(explainFrame(error, frames[i], endpoint), i, endpoint)
  }
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

function inBatch(error: unknown, index: number, endpoint: string): unknown {
  if (!(error instanceof TransportError)) return error
  const message = `frame ${String(index)} of the batch, of which none was taken: ${error.message}`
  return new TransportError(error.code, message, { cause: error.cause, endpoint })
}

function notABatch(value: unknown, endpoint: string): TransportError {
  const message = `sendBatch() takes an array of frames; got ${describe(value)}. Send one frame with send().`
  return new TransportError('ERR_INVALID_FRAME', message, { endpoint })
}
