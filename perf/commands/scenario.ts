/** What a scenario of `npm run perf` is: the options that it takes, and a function that measures and prints. */
import type { Progress } from '../harness/progress.js'
import type { Given, Options } from '../options/option.js'
import type { ofAll } from '../options/options.js'
import type { Figure } from '../report/figure.js'

export interface Outcome {
  /** Every count, checksum and ledger was right. */
  readonly right: boolean
  /** What was measured, in the scenario's own form. */
  readonly reports: readonly unknown[]
  /** The same in the form that all scenarios have. */
  readonly figures: readonly Figure[]
}

/** What a run has of its own. */
export interface RunPlace {
  /** An empty folder, which goes with the run. */
  readonly folder: string
  readonly progress: Progress
}

export interface Definition<Of extends Options> {
  readonly name: string
  /** In half a line. */
  readonly summary: string
  readonly options: Of
  /** What stands behind `npm run perf -- `. */
  readonly examples: readonly string[]
  /** What does not go together, in one line; undefined: all is well. */
  check?(given: Given<Of>): string | undefined
  run(given: Given<Of>, place: RunPlace): Promise<Outcome>
}

/** One of them, whatever its options are. What `parse()` has read for it is what it takes. */
export type Scenario = Definition<Options & typeof ofAll>

export function defineScenario<const Of extends Options & typeof ofAll>(definition: Definition<Of>): Scenario {
  return definition
}
