/** The scenarios that need the repository: other commits, other packages, faulty builds, sources of a page. */
import { chaos } from './chaos-command.js'
import { churn } from './churn-command.js'
import { compare } from './compare-command.js'
import { diff } from './diff-command.js'
import { reportOn } from './report-command.js'
import type { Scenario } from './scenario.js'

/** `measuring`: those that are in the package, too. */
export function withRepository(measuring: readonly Scenario[]): readonly Scenario[] {
  const all = [...measuring, churn, compare, chaos]
  return [...all, reportOn(all), diff]
}
