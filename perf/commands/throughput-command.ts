import { SOCKETS } from '../harness/meeting-place.js'
import { as } from '../../api/cli/options/option.js'
import {
  connections,
  count,
  duration,
  framing,
  ofAll,
  ofEngines,
  rounds,
  sizes,
  transport,
} from '../options/options.js'
import { integer } from '../../api/cli/options/reader.js'
import { throughputTable } from '../report/throughput-table.js'
import { runThroughput, type ThroughputReport } from '../scenarios/throughput.js'
import { contest } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_SIZES: readonly number[] = [64, 1_024, 65_536, 1_048_576]
/** Larger frames come one or a few at a time. */
const MOST_BATCHED_BYTES = 4_096

export const throughput = defineScenario({
  name: 'throughput',
  summary: 'frames a second in one direction',
  options: {
    sizes: as(sizes, DEFAULT_SIZES.join()),
    transport,
    framing,
    rounds,
    count: { ...as(count, '1000000', 'frames a round (default: by size)'), read: integer(1, 100_000_000) },
    duration,
    connections,
    ...ofEngines,
    ...ofAll,
  },
  examples: ['throughput', 'throughput --sizes 64,1024 --transport shm', 'throughput --sizes 256 --framing line,nul'],
  check: ({ transport: over, framing: framings = [] }) => {
    const unframed = over === 'shm' ? framings.find((each) => each !== 'length') : undefined
    return unframed === undefined ? undefined : `--framing ${unframed}: shm carries the framing length alone`
  },
  async run(given, place) {
    const { sizes: all = DEFAULT_SIZES, count: frames = 0, framing: framings = [], transport: over = SOCKETS } = given
    const reports: ThroughputReport[] = []
    for (const bytes of all) {
      const batches = bytes <= MOST_BATCHED_BYTES
      const plan = { ...contest(place, given), bytes, frames, batches, framings, transport: over }
      const report = await runThroughput(plan)
      console.log(throughputTable(report))
      reports.push(report)
    }
    const right = reports.every(({ released, rows }) => released && rows.every((row) => row.verified))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
