/**
 * The peers' own plain implementation of the campaign's framings, so that the engine's code does not check itself.
 */

export type PeerFraming = 'length' | 'length-be' | 'content-length'

export const MAX_FRAME_BYTES = 1_048_576

export function encode(framing: PeerFraming, frame: Uint8Array): Buffer {
  return Buffer.concat([head(framing, frame.length), frame])
}

/** The header of a frame with `length` bytes. */
export function head(framing: PeerFraming, length: number): Buffer {
  if (framing === 'content-length') return Buffer.from(`Content-Length: ${String(length)}\r\n\r\n`)
  const bytes = Buffer.alloc(4)
  if (framing === 'length') bytes.writeUInt32LE(length)
  else bytes.writeUInt32BE(length)
  return bytes
}

/** Bytes that no receiver of this framing can take for the beginning of a frame that it accepts. */
export function garbage(framing: PeerFraming, noise: Buffer): Buffer {
  const bytes = Buffer.from(noise)
  // More than MAX_FRAME_BYTES as a length of either order; a space where a header's name would begin.
  if (framing === 'content-length') bytes[0] = 0x20
  else for (let at = 0; at < Math.min(4, bytes.length); at++) bytes[at] = (bytes[at] ?? 0) | 0x80
  return bytes
}

/** Cuts a stream into frames. */
export class FrameParser {
  readonly #framing: PeerFraming
  readonly #onFrame: (frame: Buffer) => void
  #chunks: Buffer[] = []
  #bytes = 0
  /** How many bytes are needed before the next look. */
  #needed = 1

  constructor(framing: PeerFraming, onFrame: (frame: Buffer) => void) {
    this.#framing = framing
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < this.#needed) return
    const bytes = Buffer.concat(this.#chunks)
    let at = 0
    for (;;) {
      const found = this.#headAt(bytes, at)
      if (found === undefined) {
        this.#needed = bytes.length - at + 1
        break
      }
      const end = found.from + found.length
      if (end > bytes.length) {
        this.#needed = end - at
        break
      }
      this.#onFrame(bytes.subarray(found.from, end))
      at = end
    }
    this.#chunks = at === bytes.length ? [] : [bytes.subarray(at)]
    this.#bytes = bytes.length - at
  }

  #headAt(bytes: Buffer, at: number): { readonly from: number; readonly length: number } | undefined {
    if (this.#framing !== 'content-length') {
      if (bytes.length < at + 4) return undefined
      const length = this.#framing === 'length' ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
      return { from: at + 4, length }
    }
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end === -1) return undefined
    const match = /content-length: *(\d+)/i.exec(bytes.toString('latin1', at, end))
    if (match === null) throw new Error('the engine sent headers without Content-Length')
    return { from: end + 4, length: Number(match[1]) }
  }
}
