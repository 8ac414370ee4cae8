import { as } from '../../api/cli/options/option.js'
import { clients, count, ofAll, ofEngines, rounds } from '../options/options.js'
import { acceptsTable } from '../report/accepts-table.js'
import { runAccepts } from '../scenarios/accepts.js'
import { allRight, DEFAULT_ROUNDS } from './contest.js'
import { defineScenario } from './scenario.js'

export const accepts = defineScenario({
  name: 'accepts',
  summary: 'connections of foreign peers that a server accepts in a second',
  options: {
    rounds,
    count: as(count, '10000', 'connections a round'),
    clients,
    shards: as(ofEngines.shards, '2', 'shards of the engine (default: one with 1, and one with 2)'),
    pin: ofEngines.pin,
    ...ofAll,
  },
  examples: ['accepts', 'accepts --shards 2 --count 2000'],
  async run(given, { folder, progress }) {
    const { rounds: times = DEFAULT_ROUNDS, count: each = 10_000, clients: atOnce = 32, shards, pin } = given
    const pinTo = pin === undefined ? undefined : String(pin)
    const reports = await runAccepts({ folder, rounds: times, count: each, atOnce, shards, pinTo, progress })
    for (const report of reports) console.log(acceptsTable(report))
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
