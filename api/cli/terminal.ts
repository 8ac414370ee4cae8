/** Where a command reads and writes, so that a test can stand in for it. */
import process from 'node:process'
import type { Readable, Writable } from 'node:stream'

export interface Terminal {
  readonly input: Readable
  /** Results, and nothing else. */
  readonly output: Writable
  /** Progress, advice and errors. */
  readonly errors: Writable
  /** Whether a person reads the output. */
  readonly isInteractive: boolean
  /** Whether it is shown in colours: on a terminal, and unless `NO_COLOR` is set. */
  readonly hasColours: boolean
  /** Columns of the output. */
  readonly columns: number
}

export function processTerminal(): Terminal {
  const { stdin: input, stdout: output, stderr: errors, env } = process
  const isInteractive = output.isTTY
  return {
    input,
    output,
    errors,
    isInteractive,
    // https://no-color.org: set, and not empty.
    hasColours: isInteractive && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    columns: isInteractive ? output.columns : 80,
  }
}
