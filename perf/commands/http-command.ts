import { availableParallelism } from 'node:os'
import { INSTALL_PEERS, isInstalled } from '../harness/peer-package.js'
import { sharings, type Sharing } from '../harness/messages.js'
import { findLoad } from '../harness/http-load.js'
import { transports as all } from '../harness/meeting-place.js'
import { calibrate } from '../harness/work.js'
import { as, option } from '../../api/cli/options/option.js'
import {
  clients,
  connections,
  count,
  duration,
  ofAll,
  ofEngines,
  rounds,
  shardCounts,
  transportList,
} from '../options/options.js'
import { integer, list, oneOf } from '../../api/cli/options/reader.js'
import { httpTable } from '../report/http-table.js'
import { runHttp, type HttpWork } from '../scenarios/http.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_CLIENTS = 32
/** Of the host to the process behind it. */
const DEFAULT_CONNECTIONS = 8
const DEFAULT_SHARING: readonly Sharing[] = ['lease']
const DEFAULT_WORK: readonly number[] = [0, 200]
/** A round takes about a second on two CPUs. */
const ROUND_MICROS = 1_000_000
const MICROS_BESIDE_WORK = 60

export const http = defineScenario({
  name: 'http',
  summary: 'an HTTP server, each of whose requests is a round trip to a process behind it',
  options: {
    work: option(list(integer(0, 100_000)), DEFAULT_WORK.join(), 'microseconds of CPU behind it, one table each'),
    transport: as(transportList, all.join()),
    shards: as(shardCounts, '1,2', 'of the engine behind it, where handlers answer, besides its main'),
    sharing: option(
      list(oneOf(sharings)),
      'lease',
      'lease: each request has a connection of a pool; pipeline: they share',
    ),
    clients: as(clients, String(DEFAULT_CLIENTS), 'connections of the load (autocannon)'),
    connections: as(connections, String(DEFAULT_CONNECTIONS), 'from the HTTP server to the process behind it'),
    rounds,
    count: as(count, '20000', 'requests a round (default: about a second)'),
    duration,
    wake: ofEngines.wake,
    inline: ofEngines.inline,
    pin: as(ofEngines.pin, '0', 'run all but the load on this one CPU, by taskset'),
    ...ofAll,
  },
  examples: [
    'http',
    'http --work 0,200 --shards 1,2 --transport unix',
    'http --sharing lease,pipeline --connections 2',
  ],
  check: ({ clients: asking = DEFAULT_CLIENTS, count: requests = Infinity }) =>
    asking > requests
      ? `--clients ${String(asking)}: each needs a request of the ${String(requests)} of --count`
      : undefined,
  async run({ work = DEFAULT_WORK, transport = all, sharing = DEFAULT_SHARING, ...given }, place) {
    const { shards = [...new Set([1, availableParallelism()])], ...rest } = given
    const { clients: asking = DEFAULT_CLIENTS, connections: some = DEFAULT_CONNECTIONS } = rest
    await findLoad()
    const missing = ['fastify', 'undici'].filter((name) => !isInstalled(name))
    for (const name of missing) console.log(`${name} is not installed, and is left out: ${INSTALL_PEERS}`)
    const lapsPerMicro = calibrate()
    const works = work.map((micros): HttpWork => {
      const requests = rest.count ?? Math.max(asking, Math.floor(ROUND_MICROS / (MICROS_BESIDE_WORK + micros)))
      return { micros, laps: Math.round(micros * lapsPerMicro), count: requests, warmUp: requests }
    })
    const reports = await runHttp({
      ...contest(place, { ...rest, connections: some }),
      clients: asking,
      works,
      sharings: sharing,
      transports: transport,
      shards,
      server: missing.includes('fastify') ? 'node:http' : 'fastify',
      hasUndici: !missing.includes('undici'),
    })
    for (const report of reports) console.log(httpTable(report))
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
