import { as } from '../options/option.js'
import { clients, connections, count, ofAll, ofEngines, rounds } from '../options/options.js'
import { httpTable } from '../report/http-table.js'
import { runHttp } from '../scenarios/http.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_CLIENTS = 32
const DEFAULT_REQUESTS = 20_000

export const http = defineScenario({
  name: 'http',
  summary: 'an HTTP server, each of whose requests is a round trip to a process behind it',
  options: {
    rounds,
    count: as(count, String(DEFAULT_REQUESTS), 'requests a round'),
    clients: as(clients, String(DEFAULT_CLIENTS), 'connections of the load (autocannon)'),
    connections,
    ...ofEngines,
    ...ofAll,
  },
  examples: ['http', 'http --clients 100 --connections 4'],
  check: ({ clients: asking = DEFAULT_CLIENTS, count: requests = DEFAULT_REQUESTS }) =>
    asking > requests
      ? `--clients ${String(asking)}: each needs a request of the ${String(requests)} of --count`
      : undefined,
  async run(given, place) {
    const { count: requests = DEFAULT_REQUESTS, clients: asking = DEFAULT_CLIENTS } = given
    const report = await runHttp({ ...contest(place, given), count: requests, clients: asking })
    console.log(httpTable(report))
    return { right: report.released && allRight(report.rows), reports: [report], figures: report.figures }
  },
})
