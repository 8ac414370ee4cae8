/** Where `top` shows what it has: a terminal is drawn over, anything else gets one block after the other. */
import type { ReadStream, WriteStream } from 'node:tty'
import type { Terminal } from '../terminal.js'

const CLEAR = '\u001b[H\u001b[2J'
const HOME = '\u001b[H'
const CLEAR_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'
/** Of a terminal that does not say. */
const ROWS = 24
/** In raw mode Ctrl-C is a byte. */
const QUIT = ['q', '\u0003']

export class Screen {
  readonly #terminal: Terminal
  readonly #onQuit: () => void
  #hasShown = false

  /** `onQuit`: the user has asked for the end. */
  constructor(terminal: Terminal, onQuit: () => void) {
    this.#terminal = terminal
    this.#onQuit = onQuit
    if (!terminal.isInteractive || !isTerminal(terminal.input)) return
    terminal.input.setRawMode(true)
    terminal.input.on('data', this.#onKey)
  }

  show(block: string): void {
    const { output, isInteractive } = this.#terminal
    if (!isInteractive) {
      output.write(`${this.#hasShown ? '\n' : ''}${block}\n`)
    } else {
      const { rows = ROWS } = output as Partial<WriteStream>
      const lines = block.split('\n')
      const shown = lines.length < rows ? lines : [...lines.slice(0, rows - 2), '…']
      const text = [...shown, '', 'q ends'].slice(0, rows - 1)
      output.write(`${this.#hasShown ? HOME : CLEAR}${text.map((line) => line + CLEAR_LINE).join('\n')}${CLEAR_BELOW}`)
    }
    this.#hasShown = true
  }

  close(): void {
    const { input, output, isInteractive } = this.#terminal
    if (isInteractive && this.#hasShown) output.write('\n')
    if (!isInteractive || !isTerminal(input)) return
    input.off('data', this.#onKey)
    input.setRawMode(false)
    input.pause()
  }

  readonly #onKey = (bytes: Buffer): void => {
    const keys = bytes.toString('latin1')
    if (QUIT.some((key) => keys.includes(key))) this.#onQuit()
  }
}

function isTerminal(input: Terminal['input']): input is ReadStream {
  return (input as Partial<ReadStream>).isTTY === true
}
