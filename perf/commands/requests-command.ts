import { as } from '../options/option.js'
import { connectionCounts, count, duration, ofAll, ofEngines, rounds, sizes } from '../options/options.js'
import { requestsTable } from '../report/requests-table.js'
import { runRequests, type RequestsReport } from '../scenarios/requests.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

/** A round takes one to two seconds. */
const COUNT_OF_ONE = 20_000
const COUNT_OF_MANY = 100_000
const ROUND_BYTES = 1_000_000_000
const MOST_WARM_UP = 20_000
const DEFAULT_CROWDS: readonly number[] = [1, 10, 100, 1_000]

export const requests = defineScenario({
  name: 'requests',
  summary: 'requests that a server answers to many plain clients',
  options: {
    connections: as(connectionCounts, DEFAULT_CROWDS.join(), 'that ask, one request at a time each; one table each'),
    sizes,
    rounds,
    count: as(count, '100000', 'requests a round'),
    duration,
    ...ofEngines,
    ...ofAll,
  },
  examples: ['requests', 'requests --connections 10,100 --shards 2'],
  check: ({ connections: crowds = DEFAULT_CROWDS, count: most = Infinity }) =>
    Math.max(...crowds) > most
      ? `--connections ${String(Math.max(...crowds))}: each needs a request of the ${String(most)} of --count`
      : undefined,
  async run({ connections: crowds = DEFAULT_CROWDS, ...given }, place) {
    const reports: RequestsReport[] = []
    for (const bytes of given.sizes ?? [64]) {
      for (const clients of crowds) {
        const asked = given.count ?? defaultCount(bytes, clients)
        const warmUp = Math.min(asked, MOST_WARM_UP)
        const report = await runRequests({ ...contest(place, given), bytes, clients, count: asked, warmUp })
        console.log(requestsTable(report))
        reports.push(report)
      }
    }
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})

function defaultCount(bytes: number, clients: number): number {
  const most = clients === 1 ? COUNT_OF_ONE : COUNT_OF_MANY
  return Math.max(clients, Math.min(most, Math.floor(ROUND_BYTES / bytes)))
}
