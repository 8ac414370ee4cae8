/** How this program was started, for its help and its messages. */
import { existsSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** What the program `symphony-transport` says when it starts this one. */
const STARTED_AS = process.env['SYMPHONY_STARTED_AS']

/** Whether that program has started this one. */
export const isPartOfCli = STARTED_AS !== undefined

/** In front of a message. `unlessNamed`: what it is where nobody says so. */
export function programName(unlessNamed = 'npm run perf'): string {
  return STARTED_AS ?? unlessNamed
}

/** In front of a scenario, as one types it. */
export const commandLine = STARTED_AS === undefined ? 'npm run perf -- ' : `${STARTED_AS} `

/** Scenarios that need the repository: its commits, its peers, its faulty builds, the sources of its page. */
export const ofRepository: readonly string[] = ['churn', 'compare', 'chaos', 'report', 'diff']

/** Whether this is the repository, and not the package, which has no sources. */
export const isRepository = existsSync(fileURLToPath(new URL('../../../perf/run.ts', import.meta.url)))
