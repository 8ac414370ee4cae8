import { SOCKETS } from '../harness/meeting-place.js'
import { throughputTable } from '../report/throughput-table.js'
import { runThroughput } from '../scenarios/throughput.js'
import { contest, type RunScenario } from './command.js'

/** Larger frames come one or a few at a time. */
const MOST_BATCHED_BYTES = 4_096

export const throughput: RunScenario<'throughput'> = async (flags, folder) => {
  const { sizes = [64, 1_024, 65_536, 1_048_576], count: frames = 0, framings = [], transport = SOCKETS } = flags
  const reports: unknown[] = []
  let right = true
  for (const bytes of sizes) {
    const batches = bytes <= MOST_BATCHED_BYTES
    const report = await runThroughput({ ...contest(folder, flags), bytes, frames, batches, framings, transport })
    console.log(throughputTable(report))
    right &&= report.released && report.rows.every((row) => row.verified)
    reports.push(report)
  }
  return { right, reports }
}
