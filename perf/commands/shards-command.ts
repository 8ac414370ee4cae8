import { calibrate } from '../harness/work.js'
import { as, option } from '../../api/cli/options/option.js'
import { connections, duration, ofAll, ofEngines, rounds, shardCounts, sizes } from '../options/options.js'
import { integer, list, oneOf } from '../../api/cli/options/reader.js'
import { shardsTable } from '../report/shards-table.js'
import { loads, runShards, type ShardsReport } from '../scenarios/shards.js'
import { allRight, contest } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_SHARDS: readonly number[] = [1, 2, 4]
const DEFAULT_ROUNDS = 3
const DEFAULT_CONNECTIONS = 64
const DEFAULT_SECONDS = 0.5
const DEFAULT_BATCH = 16
const WORK_MICROS = 50
/** What is to be done is in the frame. */
const LEAST_WORK_BYTES = 8
const WARM_UP_FRAMES = 20_000
const WARM_UP_MICROS = 300_000

export const shards = defineScenario({
  name: 'shards',
  summary: 'what more shards bring a server that keeps them busy',
  options: {
    load: option(list(oneOf(loads)), loads.join(), 'what keeps them busy, one table each'),
    shards: as(shardCounts, DEFAULT_SHARDS.join(), 'shards of the engine, processes of clusters'),
    connections: as(connections, String(DEFAULT_CONNECTIONS), 'that ask, one request at a time each'),
    batch: option(integer(1, 10_000), String(DEFAULT_BATCH), 'frames of a request, but for handlers'),
    work: option(integer(0, 100_000), String(WORK_MICROS), "microseconds of CPU of a handler's frame"),
    sizes,
    rounds: as(rounds, String(DEFAULT_ROUNDS)),
    duration: as(duration, String(DEFAULT_SECONDS), 'seconds of a round'),
    wake: ofEngines.wake,
    inline: ofEngines.inline,
    pin: ofEngines.pin,
    ...ofAll,
  },
  examples: ['shards', 'shards --shards 1,2,3,4,6,8 --load line', 'shards --load handlers --work 500'],
  check: ({ load = loads, sizes: asked = [64] }) =>
    load.includes('handlers') && Math.min(...asked) < LEAST_WORK_BYTES
      ? `--sizes ${String(Math.min(...asked))}: a handler's frame has ${String(LEAST_WORK_BYTES)} bytes or more`
      : undefined,
  async run({ shards: counts = DEFAULT_SHARDS, load: wanted = loads, ...given }, place) {
    const { batch = DEFAULT_BATCH, work: workMicros = WORK_MICROS, sizes: all = [64], ...rest } = given
    const settings = contest(place, { rounds: DEFAULT_ROUNDS, connections: DEFAULT_CONNECTIONS, ...rest })
    const laps = Math.round(workMicros * calibrate())
    const seconds = settings.seconds ?? DEFAULT_SECONDS
    const common = { ...settings, shards: counts, batch, workMicros, laps, seconds }
    const reports: ShardsReport[] = []
    for (const bytes of all) {
      for (const load of wanted) {
        const most = load === 'handlers' ? Math.ceil(WARM_UP_MICROS / (workMicros + 1)) : WARM_UP_FRAMES
        const warmUp = Math.min(WARM_UP_FRAMES, most)
        const report = await runShards({ ...common, bytes, load, warmUp })
        console.log(shardsTable(report))
        reports.push(report)
      }
    }
    const right = reports.every(({ released, rows }) => released && allRight(rows))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
