/** What `--json` writes: the figures, what they were measured with, and on which machine. */
import { writeFileSync } from 'node:fs'
import type { Outcome } from '../commands/command.js'
import type { Command } from '../flags.js'
import { machineFacts } from '../harness/machine.js'

export function writeJson(file: string, { scenario, flags }: Command, { reports }: Outcome): void {
  const all = { machine: machineFacts(), scenario, settings: flags, reports }
  writeFileSync(file, JSON.stringify(all, null, 2))
}
