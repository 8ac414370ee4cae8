import { as } from '../../api/cli/options/option.js'
import { count, ofAll, ofEngines, rounds, sizes } from '../options/options.js'
import { floodTable } from '../report/flood-table.js'
import { runFlood, type FloodReport } from '../scenarios/flood.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

export const flood = defineScenario({
  name: 'flood',
  summary: 'what a peer that sends all it can costs the others and the timers',
  options: {
    sizes: as(sizes, '256,65536'),
    rounds,
    count: as(count, '2000', 'round trips a round'),
    ...ofEngines,
    ...ofAll,
  },
  examples: ['flood', 'flood --sizes 65536 --wake park'],
  async run(given, place) {
    const { sizes: all = [256, 65_536], count: trips = 2_000 } = given
    const reports: FloodReport[] = []
    for (const bytes of all) {
      const report = await runFlood({ ...contest(place, given), bytes, count: trips })
      console.log(floodTable(report))
      reports.push(report)
    }
    const right = reports.every(({ rows, released }) => released && allRight(rows) && rows.every((row) => row.verified))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
