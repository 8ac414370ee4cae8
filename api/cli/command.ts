/** What a command of `symphony-transport` is: the words and options that it takes, and a function that does it. */
import type { Given, Options } from './options/option.js'
import type { Terminal } from './terminal.js'

/** How a command has ended. What is wrong with the command line itself is 2, a signal 128 and its number. */
export const exitCodes = { ok: 0, failed: 1, misused: 2 } as const

/** What a run has of its own. */
export interface Run {
  readonly terminal: Terminal
  /** Aborts at SIGINT and SIGTERM: the command ends what it has begun, and returns. */
  readonly signal: AbortSignal
}

export interface Definition<Of extends Options> {
  readonly name: string
  /** In half a line. */
  readonly summary: string
  readonly options: Of
  /** The names of those options that are given as words, in this order, and have to be. */
  readonly operands?: readonly (keyof Of & string)[]
  /** What the words behind `--` are, where the command takes any. */
  readonly rest?: string
  /** True: all words behind the name are the rest, `--help` too. Another program reads them. */
  readonly handsOn?: boolean
  /** What else the help says, line by line. */
  readonly notes?: readonly string[]
  /** What stands behind `symphony-transport `. */
  readonly examples: readonly string[]
  /** What does not go together, in one line; undefined: all is well. */
  check?(given: Given<Of>, rest: readonly string[]): string | undefined
  /**
   * The exit code.
   * @throws {Unfit} something that is named there cannot be had: exit code 2
   * @throws {TransportError} shown in one line: exit code 1
   */
  run(given: Given<Of>, run: Run, rest: readonly string[]): Promise<number>
}

/** One of them, whatever its options are. What the command line was read into is what it takes. */
export type Command = Definition<Options>

export function defineCommand<const Of extends Options>(definition: Definition<Of>): Command {
  return definition as unknown as Command
}
