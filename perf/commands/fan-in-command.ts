import { transports as everywhere } from '../harness/meeting-place.js'
import { as } from '../../api/cli/options/option.js'
import {
  connectionCounts,
  count,
  duration,
  ofAll,
  ofEngines,
  rounds,
  shardCounts,
  sizes,
  transportList,
} from '../options/options.js'
import { fanInTable } from '../report/fan-in-table.js'
import { runFanIn, type FanInReport } from '../scenarios/fan-in.js'
import { allRight, contest, lacksDescriptors } from './contest.js'
import { defineScenario } from './scenario.js'

/** A round takes about a second. */
const COUNT_OF_ONE = 10_000
const COUNT_OF_MANY = 60_000
const ROUND_BYTES = 1_000_000_000
const MOST_WARM_UP = 20_000
const DEFAULT_CROWDS: readonly number[] = [1, 10, 100, 1_000, 10_000]
const DEFAULT_ROUNDS = 3

export const fanIn = defineScenario({
  name: 'fan-in',
  summary: 'requests that one server answers to few and to many clients',
  options: {
    connections: as(connectionCounts, DEFAULT_CROWDS.join(), 'that ask, one request at a time each; one table each'),
    sizes,
    transport: as(transportList, everywhere.join(), 'what the server is reached over: unix by net, shm by engines'),
    shards: as(shardCounts, '1,2', "shards of the server, one row each (default: the engine's own)"),
    rounds: as(rounds, String(DEFAULT_ROUNDS)),
    count: as(count, '60000', 'requests a round'),
    duration,
    wake: ofEngines.wake,
    inline: ofEngines.inline,
    pin: ofEngines.pin,
    ...ofAll,
  },
  examples: ['fan-in', 'fan-in --connections 10,100 --shards 1,2', 'fan-in --rounds 9 --json FILE'],
  check: ({ connections: crowds = DEFAULT_CROWDS, count: most = Infinity }) =>
    Math.max(...crowds) > most
      ? `--connections ${String(Math.max(...crowds))}: each needs a request of the ${String(most)} of --count`
      : undefined,
  async run(given, place) {
    const { connections: crowds = DEFAULT_CROWDS, transport: transports = everywhere, ...others } = given
    const { shards = [undefined], sizes: all = [64], ...rest } = others
    if (lacksDescriptors(crowds, transports)) return { right: false, reports: [], figures: [] }
    const settings = { ...contest(place, { rounds: DEFAULT_ROUNDS, ...rest }), transports, shards }
    const reports: FanInReport[] = []
    for (const bytes of all) {
      for (const clients of crowds) {
        const asked = given.count ?? defaultCount(bytes, clients)
        const warmUp = Math.min(asked, MOST_WARM_UP)
        const report = await runFanIn({ ...settings, bytes, clients, count: asked, warmUp })
        console.log(fanInTable(report))
        reports.push(report)
      }
    }
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})

function defaultCount(bytes: number, clients: number): number {
  const most = clients === 1 ? COUNT_OF_ONE : COUNT_OF_MANY
  return Math.max(clients, Math.min(most, Math.floor(ROUND_BYTES / bytes)))
}
