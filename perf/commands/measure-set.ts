/** Runs scenarios one after the other in this process, as their own command lines would. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { machineFacts } from '../harness/machine.js'
import { inWords } from '../harness/progress.js'
import { parse } from '../options/parse.js'
import { commandLine, programName } from '../options/program.js'
import { JSON_VERSION } from '../report/json.js'
import type { Run } from '../report/page/part.js'
import type { RunPlace, Scenario } from './scenario.js'

/** `lines`: what would stand behind `npm run perf -- `. One that fails is told of and left out. */
export async function measureSet(
  lines: readonly string[],
  scenarios: readonly Scenario[],
  { folder, progress }: RunPlace,
): Promise<{ readonly runs: readonly Run[]; readonly failed: number }> {
  const runs: Run[] = []
  const startedAt = performance.now()
  for (const [index, line] of lines.entries()) {
    const left = index === 0 ? undefined : ((performance.now() - startedAt) / index) * (lines.length - index)
    const about = left === undefined ? '' : `, about ${inWords(left)} left`
    console.log(`\n${String(index + 1)} of ${String(lines.length)}${about}: ${commandLine}${line}\n`)
    const parsed = parse(line.split(' '), scenarios)
    if (parsed.kind !== 'run') throw new Error(`${line} is no command line: ${parsed.kind}`)
    const { scenario, given } = parsed
    const machine = machineFacts()
    try {
      const place = { folder: mkdtempSync(join(folder, 'run-')), progress }
      const { right, figures } = await scenario.run(given, place)
      runs.push({
        version: JSON_VERSION,
        machine,
        scenario: scenario.name,
        settings: given,
        right,
        figures,
      })
    } catch (error) {
      console.error(`${programName()}: ${line}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { runs, failed: lines.length - runs.length }
}
