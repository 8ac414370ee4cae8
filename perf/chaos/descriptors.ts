/** Takes every descriptor that the process may still open, so that no other code gets one. */
import fs from 'node:fs'

export class DescriptorHog {
  readonly #held: number[] = []

  /** Takes all that are free at this moment. */
  take(): void {
    for (;;) {
      try {
        this.#held.push(fs.openSync('/dev/null', 'r'))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EMFILE' || code === 'ENFILE') return
        throw error
      }
    }
  }

  /** Gives `count` of them back; all by default. */
  release(count = this.#held.length): void {
    for (const descriptor of this.#held.splice(0, count)) fs.closeSync(descriptor)
  }
}
