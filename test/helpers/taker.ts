/** The owner of a wire in a test. */
import type { WireOwner } from '../../workers/wire.js'

/** Takes everything, and records each call. */
export class Taker implements WireOwner {
  readonly calls: string[] = []
  #text = ''
  readonly #view = Buffer.alloc(64)

  get text(): string {
    return this.#text
  }

  readView(): Buffer {
    return this.#view
  }

  onRead(length: number): boolean {
    this.#text += String(this.#view.subarray(0, length))
    return true
  }

  onEnd(): void {
    this.calls.push('end')
  }

  onWritten(): void {
    this.calls.push('written')
  }

  onFinished(): void {
    this.calls.push('finished')
  }

  onWriteFailed(): void {
    this.calls.push('write failed')
  }

  onClose(): void {
    this.calls.push('close')
  }
}
