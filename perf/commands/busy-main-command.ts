import { transports as everywhere } from '../harness/meeting-place.js'
import { as, option } from '../../api/cli/options/option.js'
import { connections, duration, ofAll, ofEngines, rounds, transportList } from '../options/options.js'
import { integer, list, number } from '../../api/cli/options/reader.js'
import { busyMainTables } from '../report/busy-main-table.js'
import { runBusyMain } from '../scenarios/busy-main.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_ROUNDS = 3
const DEFAULT_CONNECTIONS = 8
const BURSTS_A_ROUND = 3
/** One that fits into a ring at its beginning, and one that does not. */
const DEFAULT_BURSTS: readonly number[] = [8_192, 1_048_576]

export const busyMain = defineScenario({
  name: 'busy-main',
  summary: 'what reaches peers while a main thread is blocked',
  options: {
    block: option(list(number(0.1, 10_000)), '1,5,20,50', 'milliseconds of a block, two tables each'),
    duty: option(number(0.01, 0.95), '0.5', 'part of the time that the server is blocked'),
    rate: option(number(1, 100_000), '1000', 'requests a second, each from when it was due'),
    connections: as(connections, String(DEFAULT_CONNECTIONS), 'connections of the requests, which take turns'),
    burst: option(list(integer(4_096, 67_108_864)), DEFAULT_BURSTS.join(), 'bytes sent before a block, one table each'),
    transport: as(transportList, everywhere.join()),
    rounds: as(rounds, String(DEFAULT_ROUNDS)),
    duration: as(duration, '1', 'seconds of a round of requests, but at least three blocks'),
    bursts: option(integer(1, 10_000), String(BURSTS_A_ROUND), 'bursts of a round'),
    ...ofEngines,
    ...ofAll,
  },
  examples: ['busy-main', 'busy-main --block 20 --duty 0.9', 'busy-main --burst 65536 --transport unix'],
  async run(given, place) {
    const {
      block: blocks = [1, 5, 20, 50],
      duty = 0.5,
      rate: rateHz = 1_000,
      transport: transports = everywhere,
    } = given
    const { burst: burstSizes = DEFAULT_BURSTS, bursts = BURSTS_A_ROUND, duration: seconds = 1 } = given
    const settings = contest(place, { rounds: DEFAULT_ROUNDS, connections: DEFAULT_CONNECTIONS, ...given })
    const plan = { ...settings, transports, blocks, duty, rateHz, seconds, burstSizes, bursts }
    const reports = await runBusyMain(plan)
    for (const report of reports) console.log(busyMainTables(report))
    const right = reports.every(
      ({ released, servers, senders }) =>
        released && allRight(servers) && senders.every(({ rows }) => rows.every(({ verified }) => verified)),
    )
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
