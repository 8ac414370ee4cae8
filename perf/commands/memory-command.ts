import { transports as everywhere } from '../harness/meeting-place.js'
import { as, option } from '../../api/cli/options/option.js'
import { connectionCounts, ofAll, transportList, watch } from '../options/options.js'
import { integer } from '../../api/cli/options/reader.js'
import { memoryTable } from '../report/memory-table.js'
import { runMemory } from '../scenarios/memory.js'
import { lacksDescriptors } from './contest.js'
import { defineScenario } from './scenario.js'

const MOST_SETTLE_MS = 5_000
const DEFAULT_COUNTS: readonly number[] = [100, 1_000, 10_000]
const DEFAULT_BURST = 65_536
const DEFAULT_WATCH = 10

export const memory = defineScenario({
  name: 'memory',
  summary: 'memory and descriptors of connections, CPU of an idle engine',
  options: {
    connections: as(connectionCounts, DEFAULT_COUNTS.join(), 'connections, one table each'),
    transport: as(transportList, everywhere.join()),
    burst: option(integer(1, 16_777_216), String(DEFAULT_BURST), 'bytes that each connection carries'),
    watch: as(watch, String(DEFAULT_WATCH), 'seconds of doing nothing, over which CPU is counted'),
    ...ofAll,
  },
  examples: ['memory', 'memory --connections 1000 --transport unix', 'memory --connections 100 --watch 40'],
  async run(given, { folder, progress }) {
    const {
      connections = DEFAULT_COUNTS,
      transport: transports = everywhere,
      burst: burstBytes = DEFAULT_BURST,
    } = given
    const { watch: seconds = DEFAULT_WATCH } = given
    if (lacksDescriptors(connections, transports)) return { right: false, reports: [], figures: [] }
    const watchMs = seconds * 1_000
    const settleMs = Math.min(MOST_SETTLE_MS, watchMs)
    const plan = { folder, progress, connections, transports, burstBytes, settleMs, watchMs }
    const reports = await runMemory(plan)
    for (const report of reports) console.log(memoryTable(report, seconds))
    const right = reports.every(({ rows }) => rows.every(({ verified }) => verified))
    return { right, reports, figures: reports.flatMap(({ figures }) => figures) }
  },
})
