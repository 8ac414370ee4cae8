import { targetNames } from '../chaos/plan.js'
import { chaosLines } from '../report/chaos-lines.js'
import { runChaos } from '../scenarios/chaos.js'
import type { RunScenario } from './command.js'

/** Faults between two signs of life. */
const EACH = 100

export const chaos: RunScenario<'chaos'> = async (flags, folder) => {
  const { faults = 1_000, transport: targets = targetNames, watch = 60 } = flags
  const seed = flags.seed ?? Math.floor(Math.random() * 2 ** 31)
  console.log(`seed ${String(seed)}`)
  const report = await runChaos({
    seed,
    faults,
    targets,
    folder,
    watchdogMs: watch * 1_000,
    onFault: (done) => {
      if (done % EACH === 0) console.log(`${String(done)} faults are over`)
    },
  })
  for (const line of chaosLines(report)) console.log(line)
  return { right: report.failures.length === 0, reports: [report] }
}
