import { SOCKETS } from '../harness/meeting-place.js'
import { as, option } from '../../api/cli/options/option.js'
import { connections, count, duration, ofAll, ofEngines, rounds, sizes } from '../options/options.js'
import { oneOf } from '../../api/cli/options/reader.js'
import { latencyTable } from '../report/latency-table.js'
import { latencyTransports, runLatency, type LatencyReport } from '../scenarios/latency.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_COUNT = 10_000
const MOST_WARM_UP = 10_000

export const latency = defineScenario({
  name: 'latency',
  summary: 'round trips, one at a time',
  options: {
    sizes,
    transport: option(
      oneOf(latencyTransports),
      SOCKETS,
      `${latencyTransports.join(', ')} (a child process, against child_process)`,
    ),
    rounds,
    count: as(count, '10000', 'round trips a round'),
    duration,
    connections,
    ...ofEngines,
    ...ofAll,
  },
  examples: ['latency', 'latency --transport shm --sizes 64,1024', 'latency --pin 0 --rounds 9'],
  async run(given, place) {
    const { sizes: all = [64], transport = SOCKETS, count: trips = DEFAULT_COUNT } = given
    const reports: (LatencyReport & { readonly bytes: number })[] = []
    for (const bytes of all) {
      const warmUp = Math.min(trips, MOST_WARM_UP)
      const report = await runLatency({ ...contest(place, given), bytes, count: trips, warmUp, transport })
      console.log(latencyTable(bytes, report))
      reports.push({ bytes, ...report })
    }
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
