import { availableParallelism } from 'node:os'
import { calibrate } from '../harness/work.js'
import { as, option } from '../../api/cli/options/option.js'
import { connections, count, ofAll, ofEngines, rounds, shardCounts } from '../options/options.js'
import { integer, list } from '../../api/cli/options/reader.js'
import { handlersTable } from '../report/handlers-table.js'
import { latencyTable } from '../report/latency-table.js'
import { runHandlerRequests, type WorkPlan } from '../scenarios/handler-requests.js'
import { ROUND_TRIP_BYTES, runHandlerRoundTrips } from '../scenarios/handler-round-trips.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

const ROUND_TRIPS = 10_000
/** A round takes about a second on one CPU. */
const ROUND_MICROS = 1_000_000
const MICROS_BESIDE_WORK = 50
/** Each has one request at a time. */
const DEFAULT_CONNECTIONS = 16

export const handlers = defineScenario({
  name: 'handlers',
  summary: 'handlers on main, in shards, with net and node:cluster',
  options: {
    work: option(list(integer(0, 100_000)), '0,50,500', 'microseconds of CPU of a request, one table each'),
    shards: as(shardCounts, '1,2', 'shards of handler modules, processes of clusters'),
    connections: as(connections, String(DEFAULT_CONNECTIONS), 'that ask, one request at a time each'),
    rounds,
    count: as(count, '10000', 'round trips, and requests, a round (default of these: about a second)'),
    wake: ofEngines.wake,
    inline: ofEngines.inline,
    pin: ofEngines.pin,
    ...ofAll,
  },
  examples: ['handlers', 'handlers --work 0,50,500 --shards 1,2'],
  check: ({ connections: asking = DEFAULT_CONNECTIONS, count: requests = Infinity }) =>
    asking > requests
      ? `--connections ${String(asking)}: each needs a request of the ${String(requests)} of --count`
      : undefined,
  async run(given, place) {
    const { shards = [...new Set([1, availableParallelism()])], work = [0, 50, 500], ...rest } = given
    const { connections: asking = DEFAULT_CONNECTIONS } = rest
    const settings = contest(place, rest)
    const lapsPerMicro = calibrate()
    const trips = given.count ?? ROUND_TRIPS
    const roundTrips = await runHandlerRoundTrips('all', { ...settings, count: trips, warmUp: trips })
    console.log(latencyTable(ROUND_TRIP_BYTES, roundTrips))
    const works = work.map((micros): WorkPlan => {
      const requests = given.count ?? Math.max(asking, Math.floor(ROUND_MICROS / (MICROS_BESIDE_WORK + micros)))
      return { micros, laps: Math.round(micros * lapsPerMicro), count: requests, warmUp: Math.ceil(requests / 4) }
    })
    const reports = await runHandlerRequests({ ...settings, connections: asking, shards, works })
    for (const report of reports) console.log(handlersTable(report))
    const all = [roundTrips, ...reports]
    const right = all.every(({ released, rows }) => released && allRight(rows))
    return { right, reports: all, figures: all.flatMap(({ figures }) => figures) }
  },
})
