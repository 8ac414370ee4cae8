/** What can be sent as one frame, and what is wrong with anything else. */
import { TransportError } from './errors.js'
import { outOfMemory } from './memory.js'
import { unframeable, type FramingKind } from './framing.js'

/** A frame: bytes, UTF-8 text, or parts that travel as one frame. */
export type Frame = Uint8Array | string | readonly (Uint8Array | string)[]

export function partsOf(frame: Frame, endpoint: string): readonly Uint8Array[] {
  if (typeof frame === 'string') return [encoded(frame, endpoint)]
  if (frame instanceof Uint8Array) return [frame]
  if (!Array.isArray(frame)) throw invalidFrame(frame, endpoint)
  // Array.from visits holes too.
  return Array.from(frame as readonly unknown[], (part) => {
    if (typeof part === 'string') return encoded(part, endpoint)
    if (part instanceof Uint8Array) return part
    throw invalidFrame(part, endpoint)
  })
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
export function assertFrameable(
  kind: FramingKind,
  frame: Uint8Array | readonly Uint8Array[],
  endpoint: string,
): void {
  const problem = unframeable(kind, frame)
  if (problem === undefined) return
  throw new TransportError(
    'ERR_INVALID_FRAME',
    `${kind} framing cannot carry this frame: ${problem}. Encode it, or use another framing on both ends.`,
    { endpoint },
  )
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
  return new TransportError(
    'ERR_INVALID_FRAME',
    `a frame is a Uint8Array, a string, or an array of these; got ${value === null ? 'null' : typeof value}.`,
    { endpoint },
  )
}
