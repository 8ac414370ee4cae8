import { transports as everywhere } from '../harness/meeting-place.js'
import { as, option } from '../../api/cli/options/option.js'
import { connections, duration, ofAll, ofEngines, rounds, sizes, transportList } from '../options/options.js'
import { list, number } from '../../api/cli/options/reader.js'
import { openLoopTable } from '../report/open-loop-table.js'
import { runOpenLoop, type OpenLoopReport } from '../scenarios/open-loop.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

const WARM_UP = 3_000
const DEFAULT_ROUNDS = 3
const DEFAULT_RATES: readonly number[] = [1, 10, 100, 1_000, 10_000]

export const openLoop = defineScenario({
  name: 'open-loop',
  summary: 'round trips at fixed rates, each from when it was due',
  options: {
    rates: option(list(number(0.01, 100_000)), DEFAULT_RATES.join(), 'requests a second, one table each'),
    sizes,
    transport: as(transportList, everywhere.join()),
    rounds: as(rounds, String(DEFAULT_ROUNDS)),
    duration: as(duration, '1', 'seconds of a round, but at least two requests'),
    connections: as(connections, '1', 'connections, which take turns'),
    ...ofEngines,
    ...ofAll,
  },
  examples: ['open-loop', 'open-loop --rates 1000 --duration 10', 'open-loop --rates 100,1000 --wake park'],
  async run(given, place) {
    const {
      rates = DEFAULT_RATES,
      sizes: all = [64],
      transport: transports = everywhere,
      duration: seconds = 1,
    } = given
    const settings = { ...contest(place, { rounds: DEFAULT_ROUNDS, ...given }), rates, transports, seconds }
    const reports: OpenLoopReport[] = []
    for (const bytes of all) reports.push(...(await runOpenLoop({ ...settings, bytes, warmUp: WARM_UP })))
    for (const report of reports) console.log(openLoopTable(report))
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
