/** The help of one command. */
import type { Options } from './option.js'
import { columns } from './columns.js'

/** What of a command is shown; see `Definition`. */
interface Shown {
  readonly name: string
  readonly summary: string
  readonly options: Options
  readonly operands?: readonly string[]
  readonly rest?: string
  readonly notes?: readonly string[]
  readonly examples: readonly string[]
}

/** `program`: what is typed in front of the command. */
export function helpInFull(program: string, command: Shown): string {
  const { name, summary, options, operands = [], rest, notes = [], examples } = command
  const words = [name, ...operands.map((each) => each.toUpperCase()), '[options]']
  if (rest !== undefined) words.push(`[-- ${rest}]`)
  const left = (each: string, value: string): string =>
    operands.includes(each) ? each.toUpperCase() : `--${each} ${value}`.trimEnd()
  return [
    `${program} ${words.join(' ')}`,
    '',
    summary,
    '',
    ...columns(Object.entries(options).map(([each, option]) => [left(each, option.value), option.help])),
    ...(notes.length === 0 ? [] : ['', ...notes]),
    '',
    'Examples:',
    ...examples.map((example) => `  ${program} ${example}`),
  ].join('\n')
}
