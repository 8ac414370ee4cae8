/** Reads the words behind the name of a command, also of those that measure: there is one grammar. */
import { parseArgs } from 'node:util'
import { closest } from '../../../engine/common/closest.js'
import type { Options } from './option.js'
import { Unfit } from './reader.js'

/** What of a command says how its words are read; see `Definition`. */
export interface Grammar {
  readonly name: string
  readonly options: Options
  readonly operands?: readonly string[]
  readonly rest?: string
  check?(given: Readonly<Record<string, unknown>>, rest: readonly string[]): string | undefined
}

export type ParsedWords =
  | { readonly kind: 'help' }
  /** In one line. */
  | { readonly kind: 'wrong'; readonly message: string }
  | {
      readonly kind: 'run'
      readonly given: Readonly<Record<string, unknown>>
      readonly rest: readonly string[]
    }

/** The words by what they are. */
interface Words {
  readonly values: Map<string, string>
  readonly operands: readonly string[]
  /** Undefined: there is no `--`. */
  readonly rest: readonly string[] | undefined
}

/** What else it may have been meant to be. */
export function hint(word: string, known: readonly string[]): string {
  const meant = closest(word, known)
  return meant === undefined ? `there are ${known.join(', ')}` : `did you mean ${meant}?`
}

export function parseWords(command: Grammar, args: readonly string[]): ParsedWords {
  const wrong = (message: string): ParsedWords => ({ kind: 'wrong', message })
  const words = split(command, args)
  if (words === 'help') return { kind: 'help' }
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
function split({ name, options, operands = [] }: Grammar, args: readonly string[]): Words | string {
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

function evaluate(command: Grammar, values: ReadonlyMap<string, string>, rest: readonly string[]): ParsedWords {
  const { options, operands = [] } = command
  const given: Record<string, unknown> = {}
  for (const [each, text] of values) {
    try {
      given[each] = options[each]?.read(text)
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      const shown = text === '' ? "''" : text
      const what = operands.includes(each) ? shown : `--${each} ${shown}`
      const message = error.saysAll ? error.message : `${what}: expected ${error.message}`
      return { kind: 'wrong', message }
    }
  }
  const message = command.check?.(given, rest)
  return message === undefined ? { kind: 'run', given, rest } : { kind: 'wrong', message }
}

/** A message as it ends in front of another sentence. */
export function sentence(text: string): string {
  return /[.?]$/.test(text) ? text : `${text}.`
}
