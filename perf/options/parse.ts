/** Reads the command line of `npm run perf`, and of `symphony-transport bench`. Starts nothing. */
import { parseArgs } from 'node:util'
import type { Scenario } from '../commands/scenario.js'
import type { Given } from '../../api/cli/options/option.js'
import type { ofAll } from './options.js'
import { commandLine, ofRepository, programName } from './program.js'
import { Unfit } from '../../api/cli/options/reader.js'

export type Parsed =
  | { readonly kind: 'help'; readonly scenario: Scenario | undefined }
  /** In one line. */
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'run'; readonly scenario: Scenario; readonly given: GivenToAll }

/** The values of what every scenario has, and of what the scenario has besides. */
export type GivenToAll = Given<typeof ofAll> & Readonly<Record<string, unknown>>

interface Words {
  readonly names: readonly string[]
  readonly values: Map<string, string>
  readonly wantsHelp: boolean
}

export function parse(args: readonly string[], scenarios: readonly Scenario[]): Parsed {
  const words = read(args, scenarios)
  if (typeof words === 'string') return wrong(words)
  const [name, ...operands] = words.names
  const scenario = scenarios.find((each) => each.name === name)
  if (words.wantsHelp) return { kind: 'help', scenario }
  const known = scenarios.map((each) => each.name).join(', ')
  if (name === undefined) return wrong(`name a scenario: ${known}`)
  if (scenario === undefined && ofRepository.includes(name))
    return wrong(`${name} needs the repository of symphony-transport`)
  if (scenario === undefined) return wrong(`there is no scenario ${name}; there are ${known}`)
  const { operand } = scenario
  if (operand !== undefined) {
    const text = operands.shift()
    if (text === undefined) return wrong(`${scenario.name} needs ${operand.toUpperCase()}`, scenario)
    words.values.set(operand, text)
  }
  const [surplus] = operands
  if (surplus !== undefined) return wrong(`${surplus} is one word too many: options begin with --`, scenario)
  return evaluate(scenario, words.values)
}

/** The words by what they are; a text: what is wrong with them. */
function read(args: readonly string[], scenarios: readonly Scenario[]): Words | string {
  const known = new Set(
    scenarios.flatMap(({ options, operand }) => Object.keys(options).filter((name) => name !== operand)),
  )
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      ...Object.fromEntries([...known].map((name) => [name, { type: 'string' as const }])),
      help: { type: 'boolean' },
    },
  })
  const values = new Map<string, string>()
  const names: string[] = []
  const wantsHelp = tokens.some((token) => token.kind === 'option' && token.name === 'help')
  for (const token of tokens) {
    if (token.kind === 'positional') names.push(token.value)
    if (token.kind !== 'option' || wantsHelp) continue
    if (!known.has(token.name)) return `there is no option ${token.rawName}`
    if (values.has(token.name)) return `--${token.name} is given twice; many values are one list, like 1,2`
    if (token.value === undefined || token.value.startsWith('--')) return `--${token.name} needs a value`
    values.set(token.name, token.value)
  }
  return { names, values, wantsHelp }
}

function evaluate(scenario: Scenario, values: ReadonlyMap<string, string>): Parsed {
  const { name, options } = scenario
  const given: Record<string, unknown> = {}
  for (const [each, text] of values) {
    const option = options[each]
    if (option === undefined) {
      const taken = Object.keys(options).filter((known) => known !== scenario.operand)
      return wrong(`${name} takes no --${each}; it takes --${taken.join(', --')}`, scenario)
    }
    try {
      given[each] = option.read(text)
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      const given = text === '' ? "''" : text
      const what = each === scenario.operand ? given : `--${each} ${given}`
      return wrong(`${what}: it is ${error.message}`, scenario)
    }
  }
  if (given['count'] !== undefined && given['duration'] !== undefined) {
    return wrong('--count and --duration both say how long a round is: give one of them', scenario)
  }
  const problem = scenario.check?.(given)
  return problem === undefined ? { kind: 'run', scenario, given } : wrong(problem, scenario)
}

function wrong(what: string, scenario?: Scenario): Parsed {
  const of = scenario === undefined ? '' : `${scenario.name} `
  return { kind: 'wrong', message: `${programName()}: ${what}. See ${commandLine}${of}--help.` }
}
