import { acceptsTable } from '../report/accepts-table.js'
import { runAccepts } from '../scenarios/accepts.js'
import { allRight, DEFAULT_ROUNDS, type RunScenario } from './command.js'

export const accepts: RunScenario<'accepts'> = async (flags, folder) => {
  const { rounds = DEFAULT_ROUNDS, count = 10_000, clients: atOnce = 32, shards, pin } = flags
  const pinTo = pin === undefined ? undefined : String(pin)
  const reports = await runAccepts({ folder, rounds, count, atOnce, shards, pinTo })
  for (const report of reports) console.log(acceptsTable(report))
  return { right: reports.every(({ released, rows }) => released && allRight(rows)), reports }
}
