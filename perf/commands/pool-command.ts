import { as } from '../options/option.js'
import { connections, count, ofAll, rounds } from '../options/options.js'
import { integer } from '../options/reader.js'
import { poolTable } from '../report/pool-table.js'
import { runPool } from '../scenarios/pool-lending.js'
import { allRight, DEFAULT_ROUNDS } from './contest.js'
import { defineScenario } from './scenario.js'

export const pool = defineScenario({
  name: 'pool',
  summary: 'what lending an idle connection costs',
  options: {
    rounds,
    count: { ...as(count, '200000', 'acquires and releases a round'), read: integer(1, 100_000_000) },
    connections: as(connections, '8', 'connections in each pool'),
    ...ofAll,
  },
  examples: ['pool', 'pool --connections 32'],
  async run(given, { folder, progress }) {
    const { rounds: times = DEFAULT_ROUNDS, count: each = 200_000, connections: lent = 8 } = given
    const report = await runPool({ folder, rounds: times, count: each, connections: lent, progress })
    console.log(poolTable(report))
    return { right: report.released && allRight(report.rows), reports: [report], figures: report.figures }
  },
})
