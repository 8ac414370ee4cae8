/** What `--help` prints. */
import type { Command } from './command.js'
import { columns } from './options/columns.js'

export const PROGRAM = 'symphony-transport'

/** Of all commands in short, or of one in full. */
export function help(commands: readonly Command[], command: Command | undefined): string {
  return command === undefined ? overview(commands) : inFull(command)
}

function overview(commands: readonly Command[]): string {
  return [
    `${PROGRAM} COMMAND [options]`,
    '',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    `${PROGRAM} COMMAND --help shows the options of one, with examples;`,
    `${PROGRAM} --version shows the version.`,
    '',
    'Exit codes: 0 success, 1 failure, 2 a mistake on the command line, and 128 plus',
    'its number for a signal. NO_COLOR=1 turns colours off.',
  ].join('\n')
}

function inFull({ name, summary, options, operands = [], rest, notes = [], examples }: Command): string {
  const words = [name, ...operands.map((each) => each.toUpperCase()), '[options]']
  if (rest !== undefined) words.push(`[-- ${rest}]`)
  const left = (each: string, value: string): string =>
    operands.includes(each) ? each.toUpperCase() : `--${each} ${value}`.trimEnd()
  return [
    `${PROGRAM} ${words.join(' ')}`,
    '',
    summary,
    '',
    ...columns(Object.entries(options).map(([each, option]) => [left(each, option.value), option.help])),
    ...(notes.length === 0 ? [] : ['', ...notes]),
    '',
    'Examples:',
    ...examples.map((example) => `  ${PROGRAM} ${example}`),
  ].join('\n')
}
