import { descriptorLimit, descriptorShortage } from '../harness/descriptor-limit.js'
import { SOCKETS } from '../harness/meeting-place.js'
import { idleTable } from '../report/idle-table.js'
import { descriptorsEach, runIdle } from '../scenarios/idle.js'
import type { RunScenario } from './command.js'

const MOST_SETTLE_MS = 12_000

export const idle: RunScenario<'idle'> = async (flags, folder) => {
  const { connections = 10_000, transport: transports = [SOCKETS], watch = 30 } = flags
  const each = Math.max(...transports.map((transport) => descriptorsEach[transport]))
  const shortage = descriptorShortage(connections, each, descriptorLimit())
  if (shortage !== undefined) {
    console.error(`npm run perf: ${shortage}.`)
    return { right: false, reports: [] }
  }
  const watchMs = watch * 1_000
  const settleMs = Math.min(MOST_SETTLE_MS, watchMs)
  const rows = await runIdle({ folder, connections, transports, settleMs, watchMs })
  console.log(idleTable(rows, watch))
  // Nothing is counted that could be wrong: connections that are not there end the run.
  return { right: true, reports: [rows] }
}
