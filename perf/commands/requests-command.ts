import { DEFAULT_CROWDS } from '../flags.js'
import { requestsTable } from '../report/requests-table.js'
import { runRequests } from '../scenarios/requests.js'
import { allRight, contest, type RunScenario } from './command.js'

/** A round takes one to two seconds. */
const COUNT_OF_ONE = 20_000
const COUNT_OF_MANY = 100_000
const ROUND_BYTES = 1_000_000_000
const MOST_WARM_UP = 20_000

export const requests: RunScenario<'requests'> = async (flags, folder) => {
  const { sizes = [64], clients: crowds = DEFAULT_CROWDS } = flags
  const reports: unknown[] = []
  let right = true
  for (const bytes of sizes) {
    for (const clients of crowds) {
      const count = flags.count ?? defaultCount(bytes, clients)
      const warmUp = Math.min(count, MOST_WARM_UP)
      const report = await runRequests({ ...contest(folder, flags), bytes, clients, count, warmUp })
      console.log(requestsTable(report))
      right &&= report.released && allRight(report.rows)
      reports.push(report)
    }
  }
  return { right, reports }
}

function defaultCount(bytes: number, clients: number): number {
  const count = clients === 1 ? COUNT_OF_ONE : COUNT_OF_MANY
  return Math.max(clients, Math.min(count, Math.floor(ROUND_BYTES / bytes)))
}
