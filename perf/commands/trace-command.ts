import { transports as known, type Transport } from '../harness/meeting-place.js'
import { as } from '../../api/cli/options/option.js'
import { count, duration, ofAll, ofEngines, rounds, sizes, transportList } from '../options/options.js'
import { traceTable } from '../report/trace-table.js'
import { runTrace, type TraceReport } from '../scenarios/trace.js'
import { contest } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_COUNT = 10_000
const MOST_WARM_UP = 10_000

export const trace = defineScenario({
  name: 'trace',
  summary: 'where the time of a round trip goes, hop by hop',
  options: {
    sizes,
    transport: as(transportList, known.join()),
    rounds: as(rounds, '5', 'interleaved rounds, with the trace and without'),
    count: as(count, String(DEFAULT_COUNT), 'round trips a round'),
    duration,
    ...ofEngines,
    ...ofAll,
  },
  examples: ['trace', 'trace --inline never --wake park', 'trace --transport shm --sizes 64,1024'],
  async run(given, place) {
    const { sizes: all = [64], transport: transports = known, count: trips = DEFAULT_COUNT } = given
    const reports: TraceReport[] = []
    const runs = transports.flatMap((transport: Transport) => all.map((bytes) => ({ transport, bytes })))
    for (const each of runs) {
      const warmUp = Math.min(trips, MOST_WARM_UP)
      const report = await runTrace({ ...contest(place, given), ...each, count: trips, warmUp })
      console.log(traceTable(report))
      reports.push(report)
    }
    // How much the hops explain is a figure: on a machine that is busy with something else it may be anything.
    const right = reports.every(
      ({ released, rows }) => released && rows.every(({ isComplete, wrong }) => isComplete && wrong === 0),
    )
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
