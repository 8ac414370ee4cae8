/** Runs one command line to its exit code. A mistake of use, or of the peer, is one line and no stack. */
import { TransportError, type TransportErrorCode } from '../../engine/protocol/errors.js'
import { exitCodes } from './command.js'
import { commands } from './commands/registry.js'
import { help, PROGRAM } from './help.js'
import { parse } from './options/parse.js'
import { sentence } from './options/parse-words.js'
import { Unfit } from './options/reader.js'
import type { Terminal } from './terminal.js'

/** Nothing but another command line mends these. */
const misuses: ReadonlySet<TransportErrorCode> = new Set([
  'ERR_INVALID_ENDPOINT',
  'ERR_INVALID_OPTION',
  'ERR_PATH_TOO_LONG',
  'ERR_UNSUPPORTED_PLATFORM',
])

export async function runCommand(
  args: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  version: string,
): Promise<number> {
  const parsed = parse(args, commands)
  switch (parsed.kind) {
    case 'help':
      // Where nobody has asked for it, it is no result.
      ;(parsed.isAsked ? terminal.output : terminal.errors).write(`${help(commands, parsed.command)}\n`)
      return parsed.isAsked ? exitCodes.ok : exitCodes.misused
    case 'version':
      terminal.output.write(`${version}\n`)
      return exitCodes.ok
    case 'wrong': {
      const of = parsed.command === undefined ? '' : `${parsed.command.name} `
      terminal.errors.write(`${PROGRAM}: ${sentence(parsed.message)} See ${PROGRAM} ${of}--help.\n`)
      return exitCodes.misused
    }
    case 'run':
      try {
        return await parsed.command.run(parsed.given, { terminal, signal }, parsed.rest)
      } catch (error) {
        if (error instanceof Unfit) {
          terminal.errors.write(`${PROGRAM}: ${sentence(error.message)}\n`)
          return exitCodes.misused
        }
        if (!(error instanceof TransportError)) throw error
        // What was under way when a signal came was ended by it.
        if (signal.aborted && error.code === 'ERR_ABORTED') return exitCodes.ok
        terminal.errors.write(`${PROGRAM}: ${error.code}: ${oneLine(error.message)}\n`)
        return misuses.has(error.code) ? exitCodes.misused : exitCodes.failed
      }
  }
}

/** Messages about many options, or with what a child has said, have more than one. */
function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ')
}
