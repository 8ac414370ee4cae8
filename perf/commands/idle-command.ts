import { idleTable } from '../report/idle-table.js'
import { runIdle } from '../scenarios/idle.js'
import type { RunScenario } from './command.js'

const MOST_SETTLE_MS = 12_000

export const idle: RunScenario<'idle'> = async ({ connections = 10_000, watch = 30 }, folder) => {
  const watchMs = watch * 1_000
  const rows = await runIdle({ folder, connections, settleMs: Math.min(MOST_SETTLE_MS, watchMs), watchMs })
  console.log(idleTable(rows, watch))
  // Nothing is counted that could be wrong: connections that are not there end the run.
  return { right: true, reports: [rows] }
}
