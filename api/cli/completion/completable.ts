/** Of a command, what a shell can complete. The names of commands and options need no quotes in any shell. */
import type { Command } from '../command.js'
import { PROGRAM } from '../help.js'

export interface CompletableOption {
  /** With its dashes. */
  readonly name: string
  readonly help: string
  readonly takesValue: boolean
  /** All values that it takes, where that is a few words. */
  readonly words: readonly string[]
}

export interface Completable {
  readonly name: string
  readonly summary: string
  readonly options: readonly CompletableOption[]
  /** What its operand can be, where that is a few words. */
  readonly words: readonly string[]
}

export function completable({ name, summary, options, operands = [] }: Command): Completable {
  const wordsOf = (each: string): readonly string[] => options[each]?.read.words ?? []
  const named = Object.entries(options).filter(([each]) => !operands.includes(each))
  return {
    name,
    summary,
    words: operands.flatMap(wordsOf),
    options: [
      ...named.map(([each, { help, value }]) => ({
        name: `--${each}`,
        help,
        takesValue: value !== '',
        words: wordsOf(each),
      })),
      { name: '--help', help: 'show all options, and examples', takesValue: false, words: [] },
    ],
  }
}

/** What stands where a command can stand. */
export const besideCommands = [
  { name: 'help', summary: 'show all commands, or the options of one' },
  { name: '--help', summary: 'show all commands' },
  { name: '--version', summary: 'show the version' },
] as const

/** How a shell gets its script. */
export function origin(shell: string): string {
  return `# Made by: ${PROGRAM} completion ${shell}`
}
