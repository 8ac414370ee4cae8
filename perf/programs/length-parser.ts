/** The framing that the `net` baselines parse, as a careful user would write it: no copy unless a frame is split. */
export class LengthParser {
  readonly #onFrame: (frame: Buffer) => void
  #rest: Buffer[] = []
  #restBytes = 0
  #wanted = 4

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    this.#restBytes += chunk.length
    if (this.#restBytes < this.#wanted) {
      this.#rest.push(chunk)
      return
    }
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([...this.#rest, chunk])
    let at = 0
    for (;;) {
      if (bytes.length - at < 4) {
        this.#wanted = 4
        break
      }
      const size = 4 + bytes.readUInt32LE(at)
      if (bytes.length - at < size) {
        this.#wanted = size
        break
      }
      this.#onFrame(bytes.subarray(at + 4, at + size))
      at += size
    }
    this.#rest = at === bytes.length ? [] : [bytes.subarray(at)]
    this.#restBytes = bytes.length - at
  }
}
