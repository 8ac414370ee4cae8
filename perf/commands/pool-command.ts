import { as } from '../../api/cli/options/option.js'
import { connectionCounts, count, ofAll, rounds } from '../options/options.js'
import { integer } from '../../api/cli/options/reader.js'
import { poolTable } from '../report/pool-table.js'
import { runPool, type PoolReport } from '../scenarios/pool-lending.js'
import { allRight, DEFAULT_ROUNDS } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_COUNTS: readonly number[] = [1, 8, 64]

export const pool = defineScenario({
  name: 'pool',
  summary: 'what lending an idle connection costs',
  options: {
    rounds,
    count: { ...as(count, '200000', 'acquires and releases a round'), read: integer(1, 100_000_000) },
    connections: as(connectionCounts, DEFAULT_COUNTS.join(), 'connections in each pool, one table each'),
    ...ofAll,
  },
  examples: ['pool', 'pool --connections 1,8,64,512'],
  async run(given, { folder, progress }) {
    const { rounds: times = DEFAULT_ROUNDS, count: each = 200_000, connections: counts = DEFAULT_COUNTS } = given
    const reports: PoolReport[] = []
    for (const connections of counts) {
      const report = await runPool({ folder, rounds: times, count: each, connections, progress })
      console.log(poolTable(report))
      reports.push(report)
    }
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
