/** Runs one command line to its exit code. A mistake of use, or of the peer, is one line and no stack. */
import { TransportError } from '../../engine/protocol/errors.js'
import { exitCodes } from './command.js'
import { commands } from './commands/registry.js'
import { help, PROGRAM } from './help.js'
import { parse } from './options/parse.js'
import { Unfit } from './options/reader.js'
import type { Terminal } from './terminal.js'

export async function runCommand(
  args: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  version: string,
): Promise<number> {
  const parsed = parse(args, commands)
  switch (parsed.kind) {
    case 'help':
      terminal.output.write(`${help(commands, parsed.command)}\n`)
      return exitCodes.ok
    case 'version':
      terminal.output.write(`${version}\n`)
      return exitCodes.ok
    case 'wrong': {
      const of = parsed.command === undefined ? '' : `${parsed.command.name} `
      terminal.errors.write(`${PROGRAM}: ${parsed.message}. See ${PROGRAM} ${of}--help.\n`)
      return exitCodes.misused
    }
    case 'run':
      try {
        return await parsed.command.run(parsed.given, { terminal, signal }, parsed.rest)
      } catch (error) {
        if (error instanceof Unfit) {
          terminal.errors.write(`${PROGRAM}: ${error.message}.\n`)
          return exitCodes.misused
        }
        if (!(error instanceof TransportError)) throw error
        terminal.errors.write(`${PROGRAM}: ${error.code}: ${error.message}\n`)
        return exitCodes.failed
      }
  }
}
