import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { readEndpoint } from '../../api/endpoint-input.js'
import { option } from '../../api/cli/options/option.js'
import { integer, list, number, oneOf, Unfit } from '../../api/cli/options/reader.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { framingKinds } from '../../engine/protocol/framing.js'
import { machineFacts } from '../harness/machine.js'
import { endpointAt, meetingPlace, SOCKETS, transports } from '../harness/meeting-place.js'
import { objectives, sweeps } from '../harness/tuning.js'
import { ofAll } from '../options/options.js'
import { busyLine } from '../report/machine-line.js'
import { tuneLines, tuneTable } from '../report/tune-table.js'
import { candidatesFor } from '../scenarios/tune-candidates.js'
import { isHigherBetter, runTune, tryOnce, type TunePlan } from '../scenarios/tune.js'
import { defineScenario } from './scenario.js'

/** Of seven rounds two intervals can be told. */
const ROUNDS = 8
/** With the start of fresh programs, all that is tried by default takes about two minutes. */
const SECONDS = 0.3
const MARGIN = 3
/** Of a connection: more would wait in front of its ring. */
const MOST_BYTES_UNDER_WAY = 8_388_608
const framings = framingKinds.filter((kind) => kind !== 'raw')

export const tune = defineScenario({
  name: 'tune',
  summary: 'tries engine options under your load, and recommends some, and says why',
  options: {
    endpoint: option(dialled, 'ENDPOINT', 'a peer of yours that echoes frames (default: an own one)'),
    framing: option(oneOf(framings), 'length', `of that peer: ${framings.join(', ')}`),
    transport: option(oneOf(transports), SOCKETS, 'to an own echo'),
    size: option(integer(1, MOST_BYTES_UNDER_WAY), '64', 'payload bytes'),
    connections: option(integer(1, 10_000), '1', 'to the peer'),
    depth: option(integer(1, 10_000), '1', 'frames under way on each of them (default for throughput: 64)'),
    rate: option(number(0.1, 1_000_000), 'N', 'frames a second over all, instead: a round trip counts from when due'),
    objective: option(oneOf(objectives), 'latency', 'latency (its median), throughput, or cpu (of a round trip)'),
    sweep: option(list(oneOf(sweeps)), sweeps.join(), 'what is tried (default: all that can matter)'),
    rounds: option(integer(1, 1_000), String(ROUNDS), 'each with fresh programs; 7 or more can tell something'),
    duration: option(number(0.02, 3_600), String(SECONDS), 'seconds of each measurement, after a warm-up'),
    margin: option(number(0.1, 100), String(MARGIN), 'percent that do not matter'),
    ...ofAll,
  },
  notes: [
    'Options are tried one by one; what is better beyond the noise is put together',
    'and measured again beside the defaults. Only what is better then, by more than',
    'the margin and with its whole interval (95 %), is recommended.',
    '',
    'With an own echo the options are tried on both ends, with --endpoint on yours.',
  ],
  examples: [
    'tune',
    'tune --objective throughput --size 4096 --connections 8',
    'tune --endpoint unix:/run/app.sock --framing line --size 200 --rate 1000',
  ],
  check({ endpoint, framing, transport, size = 64, depth: given, rate, objective }) {
    const depth = given ?? 64
    if (endpoint === undefined && framing !== undefined) return '--framing is that of --endpoint'
    if (endpoint !== undefined && transport !== undefined) return '--transport is that of an own echo: leave it out'
    if (rate !== undefined && objective === 'throughput') return '--rate says what the throughput is'
    if (rate !== undefined && given !== undefined) return '--depth and --rate both say what the load is'
    if (size * depth > MOST_BYTES_UNDER_WAY) {
      return `--size and --depth: together at most ${String(MOST_BYTES_UNDER_WAY)} bytes on a connection`
    }
    return undefined
  },
  async run(given, { folder, progress }) {
    const { endpoint, framing = 'length', transport = SOCKETS, connections = 1, objective = 'latency' } = given
    const { size: bytes = 64, rate: rateHz, rounds = ROUNDS, duration: seconds = SECONDS, margin = MARGIN } = given
    const { depth = objective === 'throughput' ? 64 : 1, sweep: wanted } = given
    const isShared = endpoint === undefined ? transport === 'shm' : endpoint.startsWith('shm:')
    const situation = { wanted, connections, framing, isShared, cpus: availableParallelism() }
    const plan: TunePlan = {
      endpoint: () => endpoint ?? endpointAt(meetingPlace(folder, randomUUID().slice(0, 8)), transport),
      bringsEcho: endpoint === undefined,
      load: { bytes, connections, depth, rateHz },
      candidates: candidatesFor(situation),
      margin: margin / 100,
      ...{ framing, objective, rounds, seconds, progress },
    }
    if (plan.candidates.length === 0) throw new Unfit('none of --sweep can matter for this load')
    progress.begin('trying the peer')
    await tryOnce(plan).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      throw new Unfit(`${endpoint ?? transport}: ${why.replace(/\.$/, '')}`)
    })
    const report = await runTune(plan)
    const load = rateHz === undefined ? `${String(depth)} under way on each` : `${String(rateHz)} a second`
    const over = `${String(bytes)} B, ${String(connections)} ${connections === 1 ? 'connection' : 'connections'}, ${load}`
    console.log(`${over}, ${endpoint ?? transport}; medians of ${String(rounds)} rounds\n`)
    const ends = endpoint === undefined ? ', for both ends' : ', for your end'
    const words = { objective, isHigherBetter: isHigherBetter(objective), rounds, margin: plan.margin, ends }
    console.log(`${tuneTable(report.swept, words)}\n`)
    if (report.again.length > 0) console.log(`The best of them, measured again:\n\n${tuneTable(report.again, words)}\n`)
    for (const line of tuneLines(report, words)) console.log(line)
    const busy = busyLine(machineFacts())
    if (busy !== undefined) console.log(`\n${busy}`)
    const { figures, ...facts } = report
    return { right: report.wrong === 0 && report.released, reports: [facts], figures }
  },
})

/** The text itself. */
function dialled(text: string): string {
  try {
    const { kind } = readEndpoint(text)
    if (kind !== 'memory' && kind !== 'stdio') return text
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
  }
  throw new Unfit('an endpoint to dial, like unix:PATH, local:NAME, shm:NAME or pipe:NAME')
}
