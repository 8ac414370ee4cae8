/**
 * `npm run perf -- SCENARIO [options]`, and `symphony-transport bench SCENARIO`. Prints the baseline beside every
 * figure; exits with 1 if a count is wrong, with 2 if the options are, before anything is measured, and with 3 if
 * `diff` finds something that got slower.
 */
import { endByItself } from './harness/runner-end.js'
import process from 'node:process'
import { scenarios } from './commands/registry.js'
import { exitCodeOf } from './commands/scenario.js'
import { Progress } from './harness/progress.js'
import { makeRunFolder } from './harness/run-folder.js'
import { help } from './options/help.js'
import { parse } from './options/parse.js'
import { programName } from './options/program.js'
import { Unfit } from '../api/cli/options/reader.js'
import { writeJson } from './report/json.js'

async function main(): Promise<number> {
  const parsed = parse(process.argv.slice(2), scenarios)
  switch (parsed.kind) {
    case 'help':
      console.log(help(scenarios, parsed.scenario))
      return 0
    case 'wrong':
      console.error(parsed.message)
      return 2
    case 'run': {
      const { scenario, given } = parsed
      const place = { folder: makeRunFolder('symphony-perf-'), progress: new Progress(process.stderr).ticking() }
      try {
        const outcome = await scenario.run(given, place)
        if (given.json !== undefined) writeJson(given.json, scenario.name, given, outcome)
        return exitCodeOf(outcome)
      } catch (error) {
        if (!(error instanceof Unfit)) throw error
        console.error(`${programName()}: ${error.message}.`)
        return 2
      } finally {
        place.progress.end()
      }
    }
  }
}

process.exitCode = await main()
endByItself()
