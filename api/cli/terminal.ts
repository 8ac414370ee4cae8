/** Where a command reads and writes, so that a test can stand in for it. */
import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { isatty } from 'node:tty'

export interface Terminal {
  readonly input: Readable
  /** Results, and nothing else. */
  readonly output: Writable
  /** Progress, advice and errors. */
  readonly errors: Writable
  /** Whether a person reads the output. */
  readonly isInteractive: boolean
  /** Whether a person sees the errors: then a line of them may change, see `output/progress-line.ts`. */
  readonly showsProgress: boolean
  /** Whether it is shown in colours: on a terminal, and unless `NO_COLOR` is set. `FORCE_COLOR` is not looked at. */
  readonly hasColours: boolean
  /** Columns of the output. */
  readonly columns: number
}

export function processTerminal(): Terminal {
  const { stdin: input, stdout: output, stderr: errors, env } = process
  const isInteractive = isatty(1)
  const isDumb = env['TERM'] === 'dumb'
  return {
    input,
    output,
    errors,
    isInteractive,
    showsProgress: isatty(2) && !isDumb,
    // https://no-color.org: set, and not empty.
    hasColours: isInteractive && (env['NO_COLOR'] ?? '') === '' && !isDumb,
    columns: isInteractive ? output.columns : 80,
  }
}
