/** Writes as fast as the reader of the output takes it. */
import type { Writable } from 'node:stream'

/** Resolves when more may be written, and when nobody reads any more: that ends the command by its signal. */
export function write(output: Writable, bytes: string | Uint8Array): Promise<void> {
  if (output.destroyed || output.write(bytes)) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      output.off('drain', done)
      output.off('close', done)
      output.off('error', done)
      resolve()
    }
    output.on('drain', done)
    output.on('close', done)
    output.on('error', done)
  })
}
