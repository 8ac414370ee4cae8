import { transports } from '../harness/meeting-place.js'
import { machineFacts } from '../harness/machine.js'
import { peerCatalogue, peerNames, workNames } from '../harness/peer-catalogue.js'
import { as, option } from '../../api/cli/options/option.js'
import {
  connectionCounts,
  count,
  duration,
  ofAll,
  ofEngines,
  rounds,
  sizes,
  transportList,
} from '../options/options.js'
import { list, oneOf } from '../../api/cli/options/reader.js'
import { COMPARE_LEGEND, compareLines, compareOutcome, compareTable } from '../report/compare-table.js'
import { busyLine, machineLine } from '../report/machine-line.js'
import { runCompare } from '../scenarios/compare.js'
import { DEFAULT_ROUNDS } from './contest.js'
import { defineScenario } from './scenario.js'

const DEFAULT_SIZES: readonly number[] = [64, 1_024, 65_536, 1_048_576]
const DEFAULT_CONNECTIONS: readonly number[] = [100, 1_000]
const DEFAULT_SECONDS = 0.5
/** A measurement takes a round, or as long as the slowest machine needs for some thousands of messages. */
const PATIENCE_ROUNDS = 20
const LEAST_PATIENCE_MS = 60_000

export const compare = defineScenario({
  name: 'compare',
  summary: 'the engine beside what one would use instead',
  options: {
    peers: option(list(oneOf(peerNames)), 'engine,net', `some of ${peerNames.join(', ')}`),
    work: option(list(oneOf(workNames)), 'stream', `some of ${workNames.join(', ')}`),
    sizes: as(sizes, DEFAULT_SIZES.join(), 'payload bytes of the streams, one table each'),
    connections: as(
      connectionCounts,
      DEFAULT_CONNECTIONS.join(),
      'of the fan-in, rising, one table each; the most of them are idle',
    ),
    transport: as(transportList, transports.join(), "what carries the engine's frames, one row each"),
    rounds,
    duration: as(duration, String(DEFAULT_SECONDS)),
    count: as(count, '1000', 'messages a round, instead of --duration'),
    pin: ofEngines.pin,
    ...ofAll,
  },
  examples: [
    'compare',
    'compare --peers engine,net,zeromq --work round-trip,stream',
    'compare --work stream --sizes 64,1024 --rounds 9',
  ],
  check: ({ connections = DEFAULT_CONNECTIONS }) =>
    connections.some((many, i) => many <= (connections[i - 1] ?? 0))
      ? `--connections ${connections.join()}: they have to rise, since connections are only added`
      : undefined,
  async run(given, { folder, progress }) {
    const { peers = peerNames, work: works = workNames, transport: over = transports, pin } = given
    const durationMs = (given.duration ?? DEFAULT_SECONDS) * 1_000
    const facts = machineFacts()
    const lines = [machineLine(facts), busyLine(facts), COMPARE_LEGEND, '']
    for (const line of lines) if (line !== undefined) console.log(line)
    const report = await runCompare({
      folder,
      progress,
      entries: peerCatalogue(over).filter(({ peer }) => peers.includes(peer)),
      works,
      sizes: given.sizes ?? DEFAULT_SIZES,
      connections: given.connections ?? DEFAULT_CONNECTIONS,
      rounds: given.rounds ?? DEFAULT_ROUNDS,
      durationMs,
      count: given.count,
      pinTo: pin === undefined ? undefined : String(pin),
      patienceMs: Math.max(LEAST_PATIENCE_MS, durationMs * PATIENCE_ROUNDS),
      onTable: (table) => {
        console.log(compareTable(table))
      },
    })
    for (const line of compareLines(report)) console.log(line)
    return compareOutcome(report)
  },
})
