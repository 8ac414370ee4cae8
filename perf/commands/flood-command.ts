import { floodTable } from '../report/flood-table.js'
import { runFlood } from '../scenarios/flood.js'
import { allRight, contest, type RunScenario } from './command.js'

export const flood: RunScenario<'flood'> = async (flags, folder) => {
  const { sizes = [256, 65_536], count = 2_000 } = flags
  const reports: unknown[] = []
  let right = true
  for (const bytes of sizes) {
    const report = await runFlood({ ...contest(folder, flags), bytes, count })
    console.log(floodTable(report))
    right &&= report.released && allRight(report.rows) && report.rows.every((row) => row.verified)
    reports.push(report)
  }
  return { right, reports }
}
