/** The framings of the baselines, as a careful user would write them. */
import type { FramingKind } from '../../engine/protocol/framing.js'
import { LengthParser } from './length-parser.js'

export type WireFraming = 'length' | 'line' | 'content-length'

const LENGTH_BYTES = 4
const LINE_END = 0x0a
const HEAD_END = '\r\n\r\n'

/** Undefined: the default one. @throws if the baselines do not have it */
export function wireFraming(framing: FramingKind | undefined): WireFraming {
  if (framing === undefined) return 'length'
  if (framing === 'length' || framing === 'line' || framing === 'content-length') return framing
  throw new Error(`plain net has no framing ${framing} here`)
}

export function encode(framing: WireFraming, frame: Buffer): Buffer {
  switch (framing) {
    case 'length': {
      const whole = Buffer.allocUnsafe(LENGTH_BYTES + frame.length)
      whole.writeUInt32LE(frame.length)
      frame.copy(whole, LENGTH_BYTES)
      return whole
    }
    case 'line': {
      const whole = Buffer.allocUnsafe(frame.length + 1)
      frame.copy(whole)
      whole[frame.length] = LINE_END
      return whole
    }
    case 'content-length':
      return Buffer.concat([Buffer.from(`Content-Length: ${String(frame.length)}${HEAD_END}`, 'latin1'), frame])
  }
}

export function parserOf(framing: WireFraming, onFrame: (frame: Buffer) => void): { push(chunk: Buffer): void } {
  if (framing === 'length') return new LengthParser(onFrame)
  return new PrefixParser(framing === 'line' ? lineAt : messageAt, onFrame)
}

interface Found {
  readonly frame: Buffer
  readonly end: number
}

/** Keeps what is not whole yet. */
class PrefixParser {
  readonly #find: (bytes: Buffer, at: number) => Found | undefined
  readonly #onFrame: (frame: Buffer) => void
  #rest = Buffer.alloc(0)

  constructor(find: (bytes: Buffer, at: number) => Found | undefined, onFrame: (frame: Buffer) => void) {
    this.#find = find
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (let found = this.#find(bytes, at); found !== undefined; found = this.#find(bytes, at)) {
      this.#onFrame(found.frame)
      at = found.end
    }
    this.#rest = Buffer.from(bytes.subarray(at))
  }
}

function lineAt(bytes: Buffer, at: number): Found | undefined {
  const end = bytes.indexOf(LINE_END, at)
  return end === -1 ? undefined : { frame: bytes.subarray(at, end), end: end + 1 }
}

function messageAt(bytes: Buffer, at: number): Found | undefined {
  const head = bytes.indexOf(HEAD_END, at, 'latin1')
  if (head === -1) return undefined
  const from = head + HEAD_END.length
  const end = from + Number(/content-length: *(\d+)/i.exec(bytes.toString('latin1', at, head))?.[1])
  return end > bytes.length ? undefined : { frame: bytes.subarray(from, end), end }
}
