import type { Figure } from '../report/figure.js'
import { as } from '../../api/cli/options/option.js'
import { clients, connections, framing, ofAll, ofEngines, sizes } from '../options/options.js'
import { integer } from '../../api/cli/options/reader.js'
import { churnTable } from '../report/churn-table.js'
import { runChurn } from '../scenarios/churn.js'
import { defineScenario } from './scenario.js'

export const churn = defineScenario({
  name: 'churn',
  summary: 'memory of connections that come and go',
  options: {
    sizes: as(sizes, '200000', 'payload bytes that each connection echoes, one table each'),
    connections: { ...as(connections, '10000', 'how many, one after the other'), read: integer(1, 10_000_000) },
    clients: as(clients, '1'),
    shards: as(ofEngines.shards, '1', 'shards of the engine'),
    framing: as(framing, 'length', 'the engine with these framings'),
    ...ofAll,
  },
  examples: ['churn', 'churn --connections 100000 --framing length,line'],
  async run(given, { folder }) {
    const { sizes: all = [200_000], connections: many = 10_000, clients: concurrency = 1 } = given
    const { shards = 1, framing: framings = ['length'] } = given
    const reports: unknown[] = []
    const figures: Figure[] = []
    let right = true
    for (const bytes of all) {
      const rows = await runChurn({ folder, connections: many, bytes, concurrency, shards, framings })
      console.log(churnTable(bytes, rows))
      right &&= rows.every((row) => row.verified)
      reports.push(rows)
      for (const [index, { name, served, elapsedMs, peakMiB }] of rows.entries()) {
        const common = { contender: name, isBaseline: index === 0, at: { bytes } } as const
        const perSecond = (served / elapsedMs) * 1_000
        figures.push(
          {
            ...common,
            metric: 'connections that come and go',
            unit: 'connections/s',
            better: 'higher',
            samples: [perSecond],
          },
          { ...common, metric: 'peak memory', unit: 'bytes', better: 'lower', samples: [peakMiB * 2 ** 20] },
        )
      }
    }
    return { right, reports, figures }
  },
})
