/**
 * `npm start`, and `symphony-transport bench`: real processes over a real socket, with figures beside their targets and
 * beside plain `net` in the same run. Marks each row that misses its target. Fails on a wrong count or checksum or an
 * unbalanced ledger, never on a missed target of speed, which may be the machine's fault. `--quick` runs few rounds of
 * few frames, and does not judge speed; `--json FILE` also writes the rows.
 */
import { endByItself } from './harness/runner-end.js'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { flag, type Given } from '../api/cli/options/option.js'
import { parseWords, sentence } from '../api/cli/options/parse-words.js'
import { createEngine, type Endpoint, type Engine } from '../api/index.js'
import { echoCommand } from './harness/echo-command.js'
import { machineFacts } from './harness/machine.js'
import { Progress } from './harness/progress.js'
import { endpointAt, SOCKETS, transports, type Transport } from './harness/meeting-place.js'
import { makeRunFolder } from './harness/run-folder.js'
import { ofAll } from './options/options.js'
import { programName } from './options/program.js'
import {
  largeFramesRow,
  latencyRows,
  notAvailable,
  smallFramesRow,
  timesBaseline,
  underBaseline,
  underMicros,
  type Goal,
} from './report/speed-rows.js'
import { grouped } from './report/grouped.js'
import { figure, table } from './report/table.js'
import { judge, type Row } from './report/verdict.js'
import { runHandlerRoundTrips } from './scenarios/handler-round-trips.js'
import { isAvailable, runLatency, type LatencyReport, type LatencyTransport } from './scenarios/latency.js'
import { runPoolReuse } from './scenarios/pool-reuse.js'
import { runReconnects } from './scenarios/reconnects.js'
import { runThroughput, type ThroughputReport } from './scenarios/throughput.js'

const { quick, json } = options()
const size = quick
  ? { rounds: 1, roundTrips: 300, warmUp: 300, frames: 20_000, largeFrames: 300, laps: 5 }
  : { rounds: 3, roundTrips: 5_000, warmUp: 6_000, frames: 1_200_000, largeFrames: 15_000, laps: 25 }

const failures: string[] = []
const rows: Row[] = []

function check(what: string, holds: boolean): void {
  if (!holds) failures.push(what)
}

const folder = makeRunFolder('symphony-check-')
const progress = new Progress(process.stderr).ticking()
const settings = {
  folder,
  progress,
  connections: 1,
  shards: undefined,
  wake: undefined,
  inlineWrites: undefined,
  pinTo: undefined,
}

/** What comes next, of how many parts. */
let parts = 0
const PARTS = (process.platform === 'win32' ? 6 : 8) + (isAvailable('shm') ? 3 : 0)

function part(title: string): void {
  parts++
  progress.part(`${String(parts)} of ${String(PARTS)}: ${title}`)
}

function options(): { readonly quick: boolean; readonly json: string | undefined } {
  const known = { quick: flag('few rounds, and speed is not judged'), ...ofAll }
  const parsed = parseWords({ name: 'bench', options: known }, process.argv.slice(2))
  if (parsed.kind === 'run') {
    const { quick = false, json } = parsed.given as Given<typeof known>
    return { quick, json }
  }
  const message = parsed.kind === 'wrong' ? sentence(parsed.message) : 'it takes --quick and --json FILE.'
  console.error(`${programName('npm start')}: ${message}`)
  process.exit(2)
}

async function latency(transport: LatencyTransport, title: string, goal: Goal): Promise<void> {
  if (!isAvailable(transport)) {
    rows.push(notAvailable(title, 'this platform has none'))
    return
  }
  part(title)
  const report = await runLatency({
    ...settings,
    transport,
    bytes: 64,
    rounds: size.rounds,
    count: size.roundTrips,
    warmUp: size.warmUp,
  })
  roundTripRows(title, report, goal)
}

async function handlerLatency(): Promise<void> {
  part('round trip to a handler in a shard')
  const { rounds, roundTrips: count, warmUp } = size
  const report = await runHandlerRoundTrips('module', { ...settings, rounds, count, warmUp })
  roundTripRows('round trip to a handler in a shard', report, underBaseline(1.5))
}

function roundTripRows(title: string, report: LatencyReport, goal: Goal): void {
  const wanted = size.rounds * size.roundTrips
  for (const { name, count, wrong } of report.rows)
    check(
      `${title}, ${name}: ${String(count)} of ${String(wanted)} replies, ${String(wrong)} wrong`,
      count === wanted && wrong === 0,
    )
  check(`${title}: a program left something open`, report.released)
  rows.push(...latencyRows(title, report, goal))
}

async function throughput(transport: Transport, bytes: number, frames: number): Promise<ThroughputReport> {
  part(`${String(bytes)} B over ${transport}`)
  const report = await runThroughput({ ...settings, transport, bytes, rounds: size.rounds, frames })
  const run = `${String(bytes)} B over ${transport}`
  for (const { name, verified } of report.rows) check(`${run}, ${name}: frames or checksum wrong`, verified)
  check(`${run}: a program left something open`, report.released)
  return report
}

async function speed(): Promise<void> {
  const small = 'frames a second, 64 B'
  const large = 'MB a second, 64 KiB'
  const hasSharedMemory = isAvailable('shm')
  await latency('unix', 'Unix socket round trip', underMicros(100))
  await handlerLatency()
  await latency('pipe', 'named pipe round trip', underMicros(200))
  if (hasSharedMemory) await latency('shm', 'shared memory round trip', underBaseline(0.8))
  await latency('stdio', 'stdio round trip', underMicros(1_000))
  rows.push(smallFramesRow(small, await throughput(SOCKETS, 64, size.frames), timesBaseline(2)))
  if (hasSharedMemory) rows.push(smallFramesRow(small, await throughput('shm', 64, size.frames), timesBaseline(30)))
  rows.push(largeFramesRow(large, await throughput(SOCKETS, 65_536, size.largeFrames)))
  if (hasSharedMemory)
    rows.push(largeFramesRow(large, await throughput('shm', 65_536, size.largeFrames), timesBaseline(5)))
}

async function reconnects(): Promise<void> {
  part('reconnects')
  progress.begin('losing connections')
  const losses = 1_000
  const result = await runReconnects({ folder, losses, limitMs: 5_000 })
  const share = (result.succeeded / losses) * 100
  rows.push({
    metric: `reconnects that succeed, of ${String(losses)}`,
    measured: `${figure(share, 1)} %`,
    value: share,
    target: { is: 'above', limit: 99, text: '> 99 %' },
    of: 'counts',
  })
  rows.push({
    metric: 'reconnects, mean',
    measured: `${figure(result.meanMs, 1)} ms`,
    value: result.meanMs,
    of: 'speed',
  })
  check(`reconnects: ${figure(share, 1)} %`, share > 99)
  check(`reconnects: ${String(result.unaccounted)} frames unaccounted for`, result.unaccounted === 0)
  check('the reconnects run left something open', result.released)
}

const LENGTHS = [0, 64, 65_536, 300_000]

/** Every endpoint kind carries frames, intact; then the ledger must balance and the system must agree. */
async function everyTransport(engine: Engine): Promise<void> {
  const own = `symphony-check-${String(process.pid)}`
  const endpoints: Endpoint[] = ['memory:check', `local:${own}`]
  if (process.platform === 'win32') endpoints.push(`pipe:${own}`)
  else {
    for (const transport of transports) endpoints.push(endpointAt(join(folder, `check-${transport}.sock`), transport))
  }
  if (process.platform === 'linux') endpoints.push(`unix:@${own}`)
  for (const endpoint of endpoints) {
    const transport = engine.transport(endpoint)
    const listener = await transport.listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame), { borrow: true })
    })
    let frames = 0
    for (let lap = 0; lap < size.laps; lap++) {
      const connection = await transport.connect()
      for (const bytes of LENGTHS) {
        const sent = Buffer.alloc(bytes, lap)
        connection.send(sent)
        const back = await connection.receive()
        if (back?.equals(sent) === true) frames++
      }
      await connection.close()
    }
    const wanted = size.laps * LENGTHS.length
    check(`${transport.endpoint}: ${String(frames)} of ${String(wanted)} frames came back intact`, frames === wanted)
    await listener.close()
  }
  await aChild(engine)
}

async function aChild(engine: Engine): Promise<void> {
  const { command, args } = echoCommand
  const transport = engine.transport({ kind: 'stdio', command, args })
  const connection = await transport.connect()
  const sent = Buffer.alloc(300_000, 7)
  connection.send(sent)
  const back = await connection.receive()
  check(`${transport.endpoint}: a frame came back intact`, back?.equals(sent) === true)
  const { code, exitCode } = await connection.close()
  check(`${transport.endpoint}: ${code}, exit code ${String(exitCode)}`, code === 'OK' && exitCode === 0)
}

async function poolReuse(): Promise<void> {
  part('pool')
  progress.begin('lending connections')
  const engine = await createEngine({ shards: 1 })
  const report = await runPoolReuse(engine, `local:check-pool-${String(process.pid)}`)
  const { leaked } = await engine.close()
  const { acquired, reused, reuseRate, failed, wrong } = report
  rows.push({
    metric: `pool reuse, of ${String(acquired)}`,
    measured: `${figure(reuseRate * 100)} %`,
    value: reuseRate * 100,
    target: { is: 'above', limit: 95, text: '> 95 %' },
    // How many connections expire depends on how long everything takes.
    of: 'speed',
  })
  check(`pool: ${String(failed)} requests failed, ${String(wrong)} replies were wrong`, failed + wrong === 0)
  check('pool: no connection was used again', reused > 0)
  check('the pool run left something open', leaked === 0)
}

function openDescriptors(): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return undefined
  }
}

async function resources(): Promise<void> {
  part('all transports')
  progress.begin('frames there and back')
  const warmUp = await createEngine({ shards: 2 })
  await warmUp.close()
  const before = openDescriptors()
  const engine = await createEngine({ shards: 2 })
  await everyTransport(engine)
  const { opened, released, leaked } = await engine.close()
  const after = openDescriptors()
  const share = opened === 0 ? 0 : (released / opened) * 100
  rows.push({
    metric: `resources released, of ${String(opened)}`,
    measured: `${figure(share, 0)} %`,
    value: share,
    target: { is: 'at least', limit: 100, text: '100 %' },
    of: 'counts',
  })
  check(`the ledger says that ${String(leaked)} resources leaked`, leaked === 0)
  check(`${String(before)} descriptors before, ${String(after)} after`, before === after)
  const files = readdirSync(folder).filter((name) => !name.startsWith('net-'))
  check(`files left behind: ${files.join(', ')}`, files.length === 0)
}

const { node, platform, cpus } = machineFacts()
console.log(`symphony-transport self-check: Node ${node}, ${platform}, ${String(cpus)} CPUs\n`)
await speed()
await poolReuse()
// The peer listens on a socket path.
if (process.platform !== 'win32') await reconnects()
await resources()
progress.end()
const { head, cells, lines, exitCode } = judge(rows, failures, { judgesSpeed: !quick })
console.log(`${table(head, grouped(cells))}\n\nbaseline: plain net or child_process, in the same run\n`)
for (const line of lines) console.log(line)
if (json !== undefined) {
  const all = { version: 1, machine: machineFacts(), quick, right: exitCode === 0, rows, failures }
  writeFileSync(json, JSON.stringify(all, null, 2))
}
process.exitCode = exitCode
endByItself()
