/** The wire of each framing by hand, written from docs/wire.md and not from the engine. */
import type { FramingKind, FramingSpec } from '../../engine/protocol/framing.js'

export function specOf(kind: FramingKind, changes: Partial<FramingSpec> = {}): FramingSpec {
  return {
    kind,
    delimiter: 0x0a,
    maxFrameBytes: 1_048_576,
    maxHeaderBytes: 8192,
    lastLine: 'refuse',
    frameTimeoutMs: undefined,
    ...changes,
  }
}

/** A frame as it lies on the wire. */
export function onWire(kind: FramingKind, payload: Uint8Array | string): Buffer {
  const body = Buffer.from(payload)
  const length = Buffer.alloc(4)
  switch (kind) {
    case 'length':
      length.writeUInt32LE(body.length)
      return Buffer.concat([length, body])
    case 'length-be':
      length.writeUInt32BE(body.length)
      return Buffer.concat([length, body])
    case 'line':
      return Buffer.concat([body, Buffer.from('\n')])
    case 'nul':
      return Buffer.concat([body, Buffer.from('\0')])
    case 'content-length':
      return Buffer.concat([Buffer.from(`Content-Length: ${String(body.length)}\r\n\r\n`), body])
    case 'raw':
      return body
  }
}

/** What a framing can carry, made of any bytes. `delimiter`: that of `line`. */
export function carriable(kind: FramingKind, bytes: Uint8Array, delimiter = 0x0a): Buffer {
  const body = Buffer.from(bytes)
  const forbidden = kind === 'line' ? delimiter : kind === 'nul' ? 0 : undefined
  if (forbidden !== undefined)
    for (let i = body.indexOf(forbidden); i !== -1; i = body.indexOf(forbidden, i)) body[i] = 0x2e
  if (kind === 'line' && body.at(-1) === 0x0d) body[body.length - 1] = 0x2e
  return body
}
