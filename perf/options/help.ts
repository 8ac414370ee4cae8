/** What `--help` prints. */
import { columns } from '../../api/cli/options/columns.js'
import type { Scenario } from '../commands/scenario.js'

const COMMAND = 'npm run perf -- '

/** Of all scenarios in short, or of one in full. */
export function help(scenarios: readonly Scenario[], scenario: Scenario | undefined): string {
  return scenario === undefined ? overview(scenarios) : inFull(scenario)
}

function overview(scenarios: readonly Scenario[]): string {
  return [
    `${COMMAND}SCENARIO [options]`,
    '',
    'Measures the engine beside what one would use instead, in rounds that',
    'take turns, and checks every count.',
    '',
    ...columns(scenarios.map(({ name, summary }) => [name, summary])),
    '',
    `${COMMAND}SCENARIO --help shows the options of one, with examples.`,
  ].join('\n')
}

function inFull({ name, summary, options, operand, notes = [], examples }: Scenario): string {
  const words = operand === undefined ? name : `${name} ${operand.toUpperCase()}`
  const left = (each: string, value: string): string =>
    each === operand ? operand.toUpperCase() : `--${each} ${value}`
  return [
    `${COMMAND}${words} [options]: ${summary}`,
    '',
    ...columns(Object.entries(options).map(([each, option]) => [left(each, option.value), option.help])),
    ...(notes.length === 0 ? [] : ['', ...notes]),
    '',
    'Examples:',
    ...examples.map((example) => `  ${COMMAND}${example}`),
  ].join('\n')
}
