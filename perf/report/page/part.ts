/** What one run of a scenario has left for a report. */
import type { MachineFacts } from '../../harness/machine.js'
import type { Figure } from '../figure.js'

export interface Part {
  readonly scenario: string
  /** What it measures, in a few words; empty if nobody has said. */
  readonly summary: string
  /** Its options, as they are given on the command line. */
  readonly settings: Readonly<Record<string, string>>
  /** Every count was right. */
  readonly right: boolean
  readonly machine: MachineFacts
  readonly figures: readonly Figure[]
}

/** The same as `--json` writes it. */
export interface Run {
  readonly version: number
  readonly machine: MachineFacts
  readonly scenario: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly right: boolean
  readonly figures: readonly Figure[]
}
