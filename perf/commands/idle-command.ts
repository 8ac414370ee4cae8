import type { Figure } from '../report/figure.js'
import { SOCKETS } from '../harness/meeting-place.js'
import { as } from '../options/option.js'
import { connections, ofAll, transportList, watch } from '../options/options.js'
import { idleTable } from '../report/idle-table.js'
import { runIdle } from '../scenarios/idle.js'
import { lacksDescriptors } from './contest.js'
import { defineScenario } from './scenario.js'

const MOST_SETTLE_MS = 12_000

export const idle = defineScenario({
  name: 'idle',
  summary: 'memory of idle connections, CPU of an idle engine',
  options: { connections: as(connections, '10000', 'idle connections'), transport: transportList, watch, ...ofAll },
  examples: ['idle', 'idle --connections 1000 --transport unix,shm'],
  async run(given, { folder }) {
    const { connections: many = 10_000, transport: transports = [SOCKETS], watch: seconds = 30 } = given
    if (lacksDescriptors([many], transports)) return { right: false, reports: [], figures: [] }
    const watchMs = seconds * 1_000
    const settleMs = Math.min(MOST_SETTLE_MS, watchMs)
    const rows = await runIdle({ folder, connections: many, transports, settleMs, watchMs })
    console.log(idleTable(rows, seconds))
    const figures = rows.map(({ name, bytesPerConnection }): Figure => ({
      metric: name.endsWith('dialled')
        ? 'memory of an idle connection, dialled'
        : 'memory of an idle connection, accepted',
      unit: 'bytes',
      better: 'lower',
      contender: name.replace(/, (?:dialled|accepted)$/, ''),
      isBaseline: name.startsWith('net'),
      at: { connections: many },
      samples: [bytesPerConnection],
    }))
    // Nothing is counted that could be wrong: connections that are not there end the run.
    return { right: true, reports: [rows], figures }
  },
})
