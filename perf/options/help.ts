/** What `--help` prints. */
import { columns } from '../../api/cli/options/columns.js'
import { helpInFull } from '../../api/cli/options/help-in-full.js'
import type { Scenario } from '../commands/scenario.js'
import { commandLine, isPartOfCli, isRepository, ofRepository } from './program.js'

/** Of all scenarios in short, or of one in full. */
export function help(scenarios: readonly Scenario[], scenario: Scenario | undefined): string {
  return scenario === undefined ? overview(scenarios) : helpInFull(commandLine.trimEnd(), scenario)
}

function overview(scenarios: readonly Scenario[]): string {
  return [
    `${commandLine}SCENARIO [options]`,
    '',
    ...(isPartOfCli ? ['Without a scenario: the self-check, which takes --quick and --json FILE.', ''] : []),
    'Measures the engine beside what one would use instead, in rounds that',
    'take turns, and checks every count.',
    '',
    ...columns(scenarios.map(({ name, summary }) => [name, summary])),
    ...(isRepository ? [] : ['', `The repository has more: ${ofRepository.join(', ')}.`]),
    '',
    `${commandLine}SCENARIO --help shows its options, with examples.`,
  ].join('\n')
}
