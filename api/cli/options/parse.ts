/** Reads a command line. Starts nothing. */
import type { Command } from '../command.js'
import { hint, parseWords } from './parse-words.js'

export type Parsed =
  /** `isAsked`: false where there is nothing on the command line. */
  | { readonly kind: 'help'; readonly command: Command | undefined; readonly isAsked: boolean }
  | { readonly kind: 'version' }
  /** In one line. */
  | { readonly kind: 'wrong'; readonly message: string; readonly command: Command | undefined }
  | {
      readonly kind: 'run'
      readonly command: Command
      readonly given: Readonly<Record<string, unknown>>
      readonly rest: readonly string[]
    }

export function parse(args: readonly string[], commands: readonly Command[]): Parsed {
  const [name, ...words] = args
  if (name === undefined) return { kind: 'help', command: undefined, isAsked: false }
  if (name === '--version') return { kind: 'version' }
  const asksForHelp = name === '--help' || name === '-h' || name === 'help'
  const wanted = asksForHelp ? words.find((word) => !word.startsWith('-')) : name
  if (wanted === undefined) return { kind: 'help', command: undefined, isAsked: true }
  const command = commands.find((each) => each.name === wanted)
  if (command === undefined) {
    const known = commands.map((each) => each.name)
    return { kind: 'wrong', message: `there is no command ${wanted}; ${hint(wanted, known)}`, command: undefined }
  }
  if (asksForHelp) return { kind: 'help', command, isAsked: true }
  if (command.handsOn === true) return { kind: 'run', command, given: {}, rest: words }
  const parsed = parseWords(command, words)
  return parsed.kind === 'help' ? { ...parsed, command, isAsked: true } : { ...parsed, command }
}
