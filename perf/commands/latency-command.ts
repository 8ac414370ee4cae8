import { SOCKETS } from '../harness/meeting-place.js'
import { as, option } from '../options/option.js'
import { connections, count, duration, ofAll, ofEngines, rounds, sizes } from '../options/options.js'
import { list, number, oneOf } from '../options/reader.js'
import { latencyTable } from '../report/latency-table.js'
import { latencyTransports, runLatency, type LatencyReport } from '../scenarios/latency.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

/** At a fixed rate a round lasts two seconds, or five round trips. */
const COUNT_IN_CLOSED_LOOP = 10_000
const SECONDS_AT_A_RATE = 2
const LEAST_AT_A_RATE = 5
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
    rates: option(list(number(0.01, 1_000)), '1,10,100', 'also at so many round trips a second'),
    rounds,
    count: as(count, '10000', 'round trips a round'),
    duration,
    connections,
    ...ofEngines,
    ...ofAll,
  },
  examples: ['latency', 'latency --transport shm --sizes 64,1024', 'latency --pin 0 --rounds 9'],
  async run(given, place) {
    const { sizes: all = [64], rates = [], transport = SOCKETS } = given
    const reports: (LatencyReport & { readonly bytes: number; readonly rateHz: number })[] = []
    for (const bytes of all) {
      for (const rateHz of [0, ...rates]) {
        const trips = given.count ?? defaultCount(rateHz, given.duration)
        const warmUp = Math.min(trips, MOST_WARM_UP)
        const report = await runLatency({ ...contest(place, given), bytes, rateHz, count: trips, warmUp, transport })
        console.log(latencyTable(bytes, rateHz, report))
        reports.push({ bytes, rateHz, ...report })
      }
    }
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})

function defaultCount(rateHz: number, seconds = SECONDS_AT_A_RATE): number {
  if (rateHz === 0) return COUNT_IN_CLOSED_LOOP
  return Math.max(LEAST_AT_A_RATE, Math.ceil(rateHz * seconds))
}
