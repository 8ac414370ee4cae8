/** One line on a terminal that changes while a command works, and is gone when it has ended. */
import type { Terminal } from '../terminal.js'

const START_AND_CLEAR = '\r\u001b[K'

export class ProgressLine {
  readonly #terminal: Pick<Terminal, 'errors' | 'showsProgress' | 'columns'>
  #isShown = false

  constructor(terminal: Pick<Terminal, 'errors' | 'showsProgress' | 'columns'>) {
    this.#terminal = terminal
  }

  /** Nothing where nobody would see it change. */
  show(text: string): void {
    const { errors, showsProgress, columns } = this.#terminal
    if (!showsProgress) return
    // One that wraps could not be taken back.
    errors.write(START_AND_CLEAR + text.slice(0, columns - 1))
    this.#isShown = true
  }

  clear(): void {
    if (this.#isShown) this.#terminal.errors.write(START_AND_CLEAR)
    this.#isShown = false
  }
}
