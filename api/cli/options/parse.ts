/** Reads a command line. Starts nothing. */
import { parseArgs } from 'node:util'
import { closest } from '../../../engine/common/closest.js'
import type { Command } from '../command.js'
import { Unfit } from './reader.js'

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

/** What a command line consists of. */
interface Words {
  readonly values: Map<string, string>
  readonly operands: readonly string[]
  /** Undefined: there is no `--`. */
  readonly rest: readonly string[] | undefined
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
  return parseFor(command, words)
}

/** What else it may have been meant to be. */
function hint(word: string, known: readonly string[]): string {
  const meant = closest(word, known)
  return meant === undefined ? `there are ${known.join(', ')}` : `did you mean ${meant}?`
}

function parseFor(command: Command, args: readonly string[]): Parsed {
  const wrong = (message: string): Parsed => ({ kind: 'wrong', message, command })
  const words = split(command, args)
  if (words === 'help') return { kind: 'help', command, isAsked: true }
  if (typeof words === 'string') return wrong(words)
  const { name, operands = [] } = command
  const missing = operands[words.operands.length]
  if (missing !== undefined) return wrong(`${name} needs ${missing.toUpperCase()}`)
  const surplus = words.operands[operands.length]
  if (surplus !== undefined) return wrong(`${surplus} is one word too many: options begin with --`)
  if (words.rest !== undefined && command.rest === undefined) return wrong(`${name} takes nothing behind --`)
  if (words.rest?.length === 0) return wrong(`behind -- there has to be ${command.rest ?? 'a word'}`)
  for (const [i, operand] of operands.entries()) words.values.set(operand, words.operands[i] ?? '')
  return evaluate(command, words.values, words.rest ?? [])
}

/** The words by what they are; 'help' where that is asked for; another text: what is wrong with them. */
function split({ name, options, operands = [] }: Command, args: readonly string[]): Words | string {
  const named = new Map(Object.entries(options).filter(([each]) => !operands.includes(each)))
  const types = [...named].map(([each, { value }]) => [
    each,
    { type: value === '' ? ('boolean' as const) : ('string' as const) },
  ])
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      ...(Object.fromEntries(types) as Readonly<Record<string, { type: 'boolean' | 'string' }>>),
      help: { type: 'boolean', short: 'h' },
    },
  })
  const end = tokens.find(({ kind }) => kind === 'option-terminator')?.index
  const before = tokens.filter(({ index }) => end === undefined || index < end)
  if (before.some((token) => token.kind === 'option' && token.name === 'help')) return 'help'
  const values = new Map<string, string>()
  for (const token of before) {
    if (token.kind !== 'option') continue
    const option = named.get(token.name)
    if (option === undefined) {
      const known = [...named.keys()].map((each) => `--${each}`)
      return known.length === 0
        ? `${name} takes no options`
        : `${name} takes no ${token.rawName}; ${hint(token.rawName, known).replace('there are', 'it takes')}`
    }
    if (values.has(token.name)) return `${token.rawName} is given twice`
    const isFlag = option.value === ''
    if (isFlag && token.value !== undefined) return `${token.rawName} takes no value`
    if (!isFlag && (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))))
      return `${token.rawName} needs a value`
    values.set(token.name, token.value ?? '')
  }
  return {
    values,
    operands: before.flatMap((token) => (token.kind === 'positional' ? [token.value] : [])),
    rest: end === undefined ? undefined : args.slice(end + 1),
  }
}

function evaluate(command: Command, values: ReadonlyMap<string, string>, rest: readonly string[]): Parsed {
  const { options, operands = [] } = command
  const given: Record<string, unknown> = {}
  for (const [each, text] of values) {
    try {
      given[each] = options[each]?.read(text)
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      const shown = text === '' ? "''" : text
      const what = operands.includes(each) ? shown : `--${each} ${shown}`
      const message = error.saysAll ? error.message : `${what}: it is ${error.message}`
      return { kind: 'wrong', message, command }
    }
  }
  const message = command.check?.(given, rest)
  return message === undefined ? { kind: 'run', command, given, rest } : { kind: 'wrong', message, command }
}
