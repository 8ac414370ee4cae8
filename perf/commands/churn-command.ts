import { churnTable } from '../report/churn-table.js'
import { runChurn } from '../scenarios/churn.js'
import type { RunScenario } from './command.js'

export const churn: RunScenario<'churn'> = async (flags, folder) => {
  const { sizes = [200_000], connections = 10_000, clients: concurrency = 1 } = flags
  const { shards = 1, framings = ['length'] } = flags
  const reports: unknown[] = []
  let right = true
  for (const bytes of sizes) {
    const rows = await runChurn({ folder, connections, bytes, concurrency, shards, framings })
    console.log(churnTable(bytes, rows))
    right &&= rows.every((row) => row.verified)
    reports.push(rows)
  }
  return { right, reports }
}
