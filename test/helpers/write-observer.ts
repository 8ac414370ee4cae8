/** What the system does with main's inline writes, seen where they are made. */
import fs from 'node:fs'

type WriteSync = typeof fs.writeSync

/** Counts how many inline writes of this thread were taken whole, in part, and not at all, until it is stopped. */
export class WriteObserver {
  whole = 0
  partial = 0
  refused = 0
  readonly #original: WriteSync

  constructor() {
    const original = fs.writeSync
    this.#original = original
    const observed = (...call: Parameters<WriteSync>): number => {
      const [, bytes, , length] = call as unknown as [number, unknown, number, number]
      // Only the bytes of rings lie in shared memory.
      const isInline = bytes instanceof Uint8Array && bytes.buffer instanceof SharedArrayBuffer
      let written: number
      try {
        written = original(...call)
      } catch (error) {
        if (isInline) this.refused++
        throw error
      }
      if (!isInline) return written
      if (written === length) this.whole++
      else this.partial++
      return written
    }
    fs.writeSync = observed as WriteSync
  }

  stop(): void {
    fs.writeSync = this.#original
  }
}
