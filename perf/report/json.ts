/** What `--json` writes: the figures, what they were measured with, and on which machine. */
import { writeFileSync } from 'node:fs'
import type { Outcome } from '../commands/scenario.js'
import { machineFacts } from '../harness/machine.js'

/** Of the form; another one means that older readers cannot read it. */
export const JSON_VERSION = 1

export function writeJson(file: string, scenario: string, settings: object, outcome: Outcome): void {
  const { right, figures, reports } = outcome
  const all = { version: JSON_VERSION, machine: machineFacts(), scenario, settings, right, figures, reports }
  writeFileSync(file, JSON.stringify(all, null, 2))
}
