/** What one run of a scenario has left for a report. */
import type { MachineFacts } from '../../harness/machine.js'
import type { Figure } from '../figure.js'

export interface Part {
  readonly scenario: string
  /** What it measures, in a few words; empty if nobody has said. */
  readonly summary: string
  /** What measures it again. */
  readonly command: string
  readonly machine: MachineFacts
  readonly figures: readonly Figure[]
}
