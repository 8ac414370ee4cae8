/** Reads the command line of `npm run perf`, and of `symphony-transport bench`. Starts nothing. */
import { hint, parseWords, sentence } from '../../api/cli/options/parse-words.js'
import type { Given } from '../../api/cli/options/option.js'
import type { Scenario } from '../commands/scenario.js'
import type { ofAll } from './options.js'
import { commandLine, ofRepository, programName } from './program.js'

export type Parsed =
  | { readonly kind: 'help'; readonly scenario: Scenario | undefined }
  /** In one line. */
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'run'; readonly scenario: Scenario; readonly given: GivenToAll }

/** The values of what every scenario has, and of what the scenario has besides. */
export type GivenToAll = Given<typeof ofAll> & Readonly<Record<string, unknown>>

export function parse(args: readonly string[], scenarios: readonly Scenario[]): Parsed {
  const [first, ...words] = args
  const asksForHelp = first === '--help' || first === '-h' || first === 'help'
  const name = asksForHelp ? words[0] : first
  if (asksForHelp && name === undefined) return { kind: 'help', scenario: undefined }
  const known = scenarios.map((each) => each.name)
  if (name === undefined) return wrong(`name a scenario: ${known.join(', ')}`)
  const scenario = scenarios.find((each) => each.name === name)
  if (scenario === undefined && ofRepository.includes(name))
    return wrong(`${name} needs the repository of symphony-transport`)
  if (scenario === undefined) return wrong(`there is no scenario ${name}; ${hint(name, known)}`)
  if (asksForHelp) return { kind: 'help', scenario }
  const parsed = parseWords({ ...scenario, check: (given) => checked(scenario, given) }, words)
  switch (parsed.kind) {
    case 'help':
      return { kind: 'help', scenario }
    case 'wrong':
      return wrong(parsed.message, scenario)
    case 'run':
      return { kind: 'run', scenario, given: parsed.given }
  }
}

function checked(scenario: Scenario, given: Readonly<Record<string, unknown>>): string | undefined {
  if (given['count'] !== undefined && given['duration'] !== undefined) {
    return '--count and --duration both say how long a round is: give one of them'
  }
  return scenario.check?.(given)
}

function wrong(what: string, scenario?: Scenario): Parsed {
  const of = scenario === undefined ? '' : `${scenario.name} `
  return { kind: 'wrong', message: `${programName()}: ${sentence(what)} See ${commandLine}${of}--help.` }
}
