/**
 * `npm run perf -- SCENARIO [flags]`. Prints the baseline beside every figure; exits with 1 if a count is wrong, and
 * with 2 if the flags are, before anything is started.
 */
import { runCommand } from './commands/registry.js'
import { parseCommand, usage } from './flags.js'
import { makeRunFolder } from './harness/run-folder.js'
import { writeJson } from './report/json.js'

async function main(): Promise<number> {
  const parsed = parseCommand(process.argv.slice(2))
  switch (parsed.kind) {
    case 'help':
      console.log(usage)
      return 0
    case 'wrong':
      console.error(parsed.message)
      return 2
    case 'run': {
      const { command } = parsed
      const outcome = await runCommand(command, makeRunFolder('symphony-perf-'))
      if (command.flags.json !== undefined) writeJson(command.flags.json, command, outcome)
      return outcome.right ? 0 : 1
    }
  }
}

process.exitCode = await main()
