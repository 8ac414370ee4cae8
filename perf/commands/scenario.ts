/** What a scenario of `npm run perf` is: the options that it takes, and a function that measures and prints. */
import type { Progress } from '../harness/progress.js'
import type { Given, Options } from '../../api/cli/options/option.js'
import type { ofAll } from '../options/options.js'
import type { Figure } from '../report/figure.js'

export interface Outcome {
  /** Every count, checksum and ledger was right. */
  readonly right: boolean
  /** What was measured, in the scenario's own form. */
  readonly reports: readonly unknown[]
  /** The same in the form that all scenarios have. */
  readonly figures: readonly Figure[]
  /** Something got worse than it may: the run ends with another code. */
  readonly isWorse?: boolean
}

/** 2 is for what is wrong with the command line. */
export function exitCodeOf({ right, isWorse = false }: Outcome): 0 | 1 | 3 {
  if (!right) return 1
  return isWorse ? 3 : 0
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
  /** The names of those options that are given as words, in this order, and have to be. */
  readonly operands?: readonly string[]
  /** What else the help says, line by line. */
  readonly notes?: readonly string[]
  /** What stands behind `npm run perf -- `. */
  readonly examples: readonly string[]
  /** What does not go together, in one line; undefined: all is well. */
  check?(given: Given<Of>): string | undefined
  /** @throws {Unfit} something that is named there cannot be had; in one line */
  run(given: Given<Of>, place: RunPlace): Promise<Outcome>
}

/** One of them, whatever its options are. What `parse()` has read for it is what it takes. */
export type Scenario = Definition<Options & typeof ofAll>

export function defineScenario<const Of extends Options & typeof ofAll>(definition: Definition<Of>): Scenario {
  return definition
}
