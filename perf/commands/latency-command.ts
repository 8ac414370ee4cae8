import { SOCKETS } from '../harness/meeting-place.js'
import { latencyTable } from '../report/latency-table.js'
import { runLatency } from '../scenarios/latency.js'
import { allRight, contest, type RunScenario } from './command.js'

/** At a fixed rate a round lasts two seconds, or five round trips. */
const COUNT_IN_CLOSED_LOOP = 10_000
const SECONDS_AT_A_RATE = 2
const LEAST_AT_A_RATE = 5
const MOST_WARM_UP = 10_000

export const latency: RunScenario<'latency'> = async (flags, folder) => {
  const { sizes = [64], rates = [], transport = SOCKETS } = flags
  const reports: unknown[] = []
  let right = true
  for (const bytes of sizes) {
    for (const rateHz of [0, ...rates]) {
      const count = flags.count ?? defaultCount(rateHz)
      const warmUp = Math.min(count, MOST_WARM_UP)
      const report = await runLatency({ ...contest(folder, flags), bytes, rateHz, count, warmUp, transport })
      console.log(latencyTable(bytes, rateHz, report))
      right &&= report.released && allRight(report.rows)
      reports.push({ bytes, rateHz, ...report })
    }
  }
  return { right, reports }
}

function defaultCount(rateHz: number): number {
  if (rateHz === 0) return COUNT_IN_CLOSED_LOOP
  return Math.max(LEAST_AT_A_RATE, Math.ceil(rateHz * SECONDS_AT_A_RATE))
}
