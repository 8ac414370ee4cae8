/** Reads a command line. Starts nothing. */
import { parseArgs } from 'node:util'
import type { Command } from '../command.js'
import { Unfit } from './reader.js'

export type Parsed =
  | { readonly kind: 'help'; readonly command: Command | undefined }
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
  if (name === undefined || name === '--help' || name === '-h') return { kind: 'help', command: undefined }
  if (name === '--version') return { kind: 'version' }
  const command = commands.find((each) => each.name === name)
  if (name === 'help') return { kind: 'help', command: commands.find((each) => each.name === words[0]) }
  if (command === undefined) {
    const known = commands.map((each) => each.name).join(', ')
    return { kind: 'wrong', message: `there is no command ${name}; there are ${known}`, command: undefined }
  }
  if (command.handsOn === true) return { kind: 'run', command, given: {}, rest: words }
  return parseFor(command, words)
}

function parseFor(command: Command, words: readonly string[]): Parsed {
  const { name, options, operands = [] } = command
  const wrong = (message: string): Parsed => ({ kind: 'wrong', message, command })
  const named = Object.entries(options).filter(([each]) => !operands.includes(each))
  const { tokens } = parseArgs({
    args: [...words],
    strict: false,
    tokens: true,
    options: {
      ...Object.fromEntries(
        named.map(([each, { value }]) => [each, { type: value === '' ? ('boolean' as const) : ('string' as const) }]),
      ),
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (tokens.some((token) => token.kind === 'option' && token.name === 'help')) return { kind: 'help', command }
  const values = new Map<string, string>()
  const positionals: string[] = []
  const rest: string[] = []
  let isBehind = false
  for (const token of tokens) {
    if (token.kind === 'option-terminator') isBehind = true
    else if (token.kind === 'positional') (isBehind ? rest : positionals).push(token.value)
    else {
      const option = operands.includes(token.name) ? undefined : options[token.name]
      const known = named.map(([each]) => `--${each}`).join(', ')
      if (option === undefined) return wrong(`${name} takes no ${token.rawName}; it takes ${known}`)
      if (values.has(token.name)) return wrong(`${token.rawName} is given twice`)
      const isFlag = option.value === ''
      if (isFlag && token.value !== undefined) return wrong(`${token.rawName} takes no value`)
      if (!isFlag && (token.value === undefined || token.value.startsWith('--'))) {
        return wrong(`${token.rawName} needs a value`)
      }
      values.set(token.name, token.value ?? '')
    }
  }
  for (const operand of operands) {
    const text = positionals.shift()
    if (text === undefined) return wrong(`${name} needs ${operand.toUpperCase()}`)
    values.set(operand, text)
  }
  const [surplus] = positionals
  if (surplus !== undefined) return wrong(`${surplus} is one word too many: options begin with --`)
  if (rest.length > 0 && command.rest === undefined) return wrong(`${name} takes nothing behind --`)
  return evaluate(command, values, rest)
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
      return { kind: 'wrong', message: `${what}: it is ${error.message}`, command }
    }
  }
  const message = command.check?.(given, rest)
  return message === undefined ? { kind: 'run', command, given, rest } : { kind: 'wrong', message, command }
}
