/** The wire by hand: u32 little-endian payload length, then the payload. Written from docs, not from the engine. */
import type net from 'node:net'

export function rawFrame(payload: Uint8Array | string): Buffer {
  const body = Buffer.from(payload)
  const bytes = Buffer.alloc(4 + body.length)
  bytes.writeUInt32LE(body.length, 0)
  body.copy(bytes, 4)
  return bytes
}

export function rawFrames(payloads: Iterable<Uint8Array | string>): Buffer {
  return Buffer.concat([...payloads].map((payload) => rawFrame(payload)))
}

/** Reads frames off a plain socket. */
export class RawReader {
  #bytes = Buffer.alloc(0)
  #ended = false
  #wake: (() => void) | undefined

  constructor(socket: net.Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake?.()
    })
    const end = (): void => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('end', end)
    socket.on('close', end)
  }

  /** The next frame's payload; undefined at the end of the stream. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#bytes.length >= 4) {
        const size = 4 + this.#bytes.readUInt32LE(0)
        if (this.#bytes.length >= size) {
          const payload = Buffer.from(this.#bytes.subarray(4, size))
          this.#bytes = this.#bytes.subarray(size)
          return payload
        }
      }
      if (this.#ended) {
        if (this.#bytes.length > 0) throw new Error('the stream ended in the middle of a frame')
        return undefined
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async take(count: number): Promise<Buffer[]> {
    const frames: Buffer[] = []
    while (frames.length < count) {
      const frame = await this.next()
      if (frame === undefined) throw new Error(`the stream ended after ${String(frames.length)} frames`)
      frames.push(frame)
    }
    return frames
  }
}
