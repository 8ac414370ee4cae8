/** What can be sent as one frame, and what is wrong with anything else. */
import { types } from 'node:util'
import { describe, isArray } from './describe.js'
import { TransportError } from '../protocol/errors.js'
import { outOfMemory } from '../protocol/allocation.js'
import { unframeable, type Framing } from '../protocol/framing.js'

/** A frame: bytes, UTF-8 text, or parts that travel as one frame. */
export type Frame = Uint8Array | string | readonly (Uint8Array | string)[]

/**
 * The frame with its text encoded, once however often it is looked at. Bytes stay as they are, and are not copied.
 * @throws {TransportError} ERR_INVALID_FRAME, ERR_OUT_OF_MEMORY
 */
export function encodeText(frame: Frame, endpoint: string): Uint8Array | readonly Uint8Array[] {
  if (typeof frame === 'string') return encoded(frame, endpoint)
  if (isBytes(frame)) return present(frame, endpoint)
  if (!isArray(frame)) throw invalidFrame(frame, endpoint)
  try {
    // Array.from visits holes too.
    return Array.from(frame as readonly unknown[], (part) => {
      if (typeof part === 'string') return encoded(part, endpoint)
      if (isBytes(part)) return present(part, endpoint)
      throw invalidFrame(part, endpoint)
    })
  } catch (error) {
    if (error instanceof TransportError) throw error
    throw invalid('reading the parts of this frame failed. See the cause.', endpoint, error)
  }
}

/** As `encodeText()`, always as parts. */
export function partsOf(frame: Frame, endpoint: string): readonly Uint8Array[] {
  const bytes = encodeText(frame, endpoint)
  return isBytes(bytes) ? [bytes] : bytes
}

/** Of this realm or another; not a proxy, of which `instanceof` says the same. */
export function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value)
}

/**
 * A view whose memory was transferred away, or whose buffer was made shorter than it, looks like an empty one. So this
 * is to be asked of views that are empty, and costs nothing where bytes are sent.
 * @throws {TransportError} ERR_INVALID_FRAME
 */
export function assertPresent(view: Uint8Array, endpoint: string): void {
  try {
    // The language checks that there is memory behind a view before it looks into it.
    Uint8Array.prototype.at.call(view, 0)
  } catch (cause) {
    const problem = 'the memory of this frame is gone: its buffer was transferred, or made smaller.'
    throw invalid(`${problem} Send before you transfer it, or send a copy.`, endpoint, cause)
  }
}

/** The view, if it has its memory: see `assertPresent()`. */
export function present(view: Uint8Array, endpoint: string): Uint8Array {
  if (view.length === 0) assertPresent(view, endpoint)
  return view
}

function encoded(text: string, endpoint: string): Buffer {
  try {
    return Buffer.from(text)
  } catch (cause) {
    throw outOfMemory(Buffer.byteLength(text), cause, endpoint)
  }
}

export function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}

/** @throws {TransportError} ERR_INVALID_FRAME */
export function assertFrameable(framing: Framing, frame: Uint8Array | readonly Uint8Array[], endpoint: string): void {
  const problem = unframeable(framing, frame)
  if (problem === undefined) return
  const message = `${framing.kind} framing cannot carry this frame: ${problem}. Encode it, or use another framing on both ends.`
  throw invalid(message, endpoint)
}

/** @throws {TransportError} ERR_FRAME_TOO_LARGE */
export function assertLength(length: number, maxFrameBytes: number, endpoint: string): void {
  if (length <= maxFrameBytes) return
  throw new TransportError(
    'ERR_FRAME_TOO_LARGE',
    `a frame of ${String(length)} bytes exceeds maxFrameBytes (${String(maxFrameBytes)}). Split it, or raise the option on both ends.`,
    { endpoint },
  )
}

/** The frame was not taken: `waiting` bytes wait already. */
export function backpressure(waiting: number, maxPendingBytes: number, endpoint: string): TransportError {
  return new TransportError(
    'ERR_BACKPRESSURE',
    `${String(waiting)} bytes wait already and maxPendingBytes is ${String(maxPendingBytes)}. The frame was not taken: wait for ready() when send() returns false.`,
    { endpoint },
  )
}

function invalidFrame(value: unknown, endpoint: string): TransportError {
  return invalid(`a frame is a Uint8Array, a string, or an array of these; got ${describe(value)}.`, endpoint)
}

function invalid(message: string, endpoint: string, cause?: unknown): TransportError {
  return new TransportError('ERR_INVALID_FRAME', message, { cause, endpoint })
}
