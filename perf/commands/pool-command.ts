import { poolTable } from '../report/pool-table.js'
import { runPool } from '../scenarios/pool-lending.js'
import { allRight, DEFAULT_ROUNDS, type RunScenario } from './command.js'

export const pool: RunScenario<'pool'> = async (flags, folder) => {
  const { rounds = DEFAULT_ROUNDS, count = 200_000, connections = 8 } = flags
  const report = await runPool({ folder, rounds, count, connections })
  console.log(poolTable(report))
  return { right: report.released && allRight(report.rows), reports: [report] }
}
