/** What `--help` prints. */
import type { Command } from './command.js'
import { columns } from './options/columns.js'
import { helpInFull } from './options/help-in-full.js'

export const PROGRAM = 'symphony-transport'

/** Of all commands in short, or of one in full. */
export function help(commands: readonly Command[], command: Command | undefined): string {
  return command === undefined ? overview(commands) : helpInFull(PROGRAM, command)
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
