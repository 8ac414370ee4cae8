import { as } from '../../api/cli/options/option.js'
import { Unfit } from '../../api/cli/options/reader.js'
import { hasNatsServer } from '../harness/nats-server.js'
import { count, ofAll, rounds, sizes } from '../options/options.js'
import { bridgeTable } from '../report/bridge-table.js'
import { runBridge } from '../scenarios/bridge.js'
import { defineScenario } from './scenario.js'

export const bridge = defineScenario({
  name: 'bridge',
  summary: 'connections that go on over NATS, beside NATS itself; needs nats-server',
  options: {
    sizes: as(sizes, '64,1024,65536'),
    rounds,
    count: as(count, '10000', 'frames of a round; a tenth of that in round trips'),
    ...ofAll,
  },
  notes: [
    'nats-server runs on this machine, and so do both bridges: what a network adds',
    'comes on top. Without backpressure of its own, NATS is waited for after every',
    '256 messages.',
  ],
  examples: ['bridge', 'bridge --sizes 64 --rounds 9 --count 50000'],
  async run({ sizes: all = [64, 1_024, 65_536], rounds: many = 5, count: frames = 10_000 }, { folder }) {
    if (!hasNatsServer()) throw new Unfit('nats-server is not installed (Debian: apt-get install nats-server)')
    const rows = await runBridge({ folder, sizes: all, rounds: many, count: frames })
    console.log(bridgeTable(rows))
    const figures = rows.flatMap(({ bytes, contender, roundTrips, streams }) => {
      const common = { contender, isBaseline: contender === 'NATS', at: { bytes } } as const
      return [
        { ...common, metric: 'round trip, mean', unit: 'us', better: 'lower', samples: roundTrips } as const,
        { ...common, metric: 'one way', unit: 'frames/s', better: 'higher', samples: streams } as const,
      ]
    })
    return { right: rows.every(({ verified }) => verified), reports: rows, figures }
  },
})
