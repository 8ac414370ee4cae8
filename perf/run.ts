/** `npm run perf -- SCENARIO [flags]`. Prints the baseline beside every figure; exits with 1 if a count is wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { framingKinds, type FramingKind } from '../engine/shared/framing.js'
import { targetNames, type TargetName } from './chaos/plan.js'
import { SOCKETS } from './harness/meeting-place.js'
import { machineFacts } from './harness/machine.js'
import { chaosLines } from './report/chaos.js'
import { figure, table, times } from './report/table.js'
import { runChaos } from './scenarios/chaos.js'
import { runFlood, type FloodReport } from './scenarios/flood.js'
import { runHttp, type HttpReport } from './scenarios/http.js'
import { runIdle, type IdleRow } from './scenarios/idle.js'
import {
  latencyTransports,
  runLatency,
  type LatencyReport,
  type LatencyTransport,
} from './scenarios/latency.js'
import { runPool, type PoolReport } from './scenarios/pool.js'
import { runThroughput, type ThroughputReport } from './scenarios/throughput.js'

const usage = `npm run perf -- latency|throughput|flood|http|idle|pool|chaos [flags]

  --sizes 64,1024       payload bytes, one table each (latency: 64; throughput: 64,1024,65536,1048576;
                        flood: 256,65536)
  --rounds 5            interleaved rounds; medians are shown
  --count 10000         round trips, or frames, a round (throughput: default by size; flood: 2000;
                        http: requests, 20000; pool: acquires, 200000)
  --clients 32          http: connections of the load (autocannon)
  --rates 1,10,100      latency: open loop at so many round trips a second, besides the closed loop
  --transport unix      latency: unix, pipe (on Windows, the default there), or stdio (a child process, against
                        child_process);
                        chaos: unix, stdio, memory, hosted, or some of them (all)
  --faults 1000         chaos: how many
  --seed N              chaos: repeats the faults of an earlier run (drawn, and printed)
  --framings line,nul   throughput: also the engine with these framings
  --connections 1       connections between the two processes (pool: in the pool, 8)
  --shards N            shards of each engine (default: the engine's own)
  --wake POLICY         adaptive, park, or a number: microseconds of fixed spin
  --watch 30            idle: seconds over which CPU is counted (connections: 10000);
                        chaos: seconds that one fault may take (60)
  --pin CPU             run everything on one CPU (taskset)
  --json FILE           figures and the machine's facts as JSON`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    count: { type: 'string' },
    rates: { type: 'string', default: '' },
    clients: { type: 'string', default: '32' },
    framings: { type: 'string', default: '' },
    connections: { type: 'string' },
    transport: { type: 'string' },
    watch: { type: 'string' },
    faults: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    shards: { type: 'string' },
    wake: { type: 'string' },
    pin: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const numbers = (text: string): number[] =>
  text
    .split(',')
    .filter((part) => part !== '')
    .map(Number)

function transportOf(text: string): LatencyTransport {
  const transport = latencyTransports.find((known) => known === text)
  if (transport === undefined) throw new Error(`--transport is ${latencyTransports.join(', ')}, not ${text}`)
  return transport
}

function framings(text: string): FramingKind[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const kind = framingKinds.find((known) => known === part)
      if (kind === undefined) throw new Error(`no such framing: ${part}. Known: ${framingKinds.join(', ')}.`)
      return kind
    })
}

function wakePolicy(text: string | undefined): 'adaptive' | 'park' | { spinMicros: number } | undefined {
  if (text === undefined || text === 'adaptive' || text === 'park') return text
  return { spinMicros: Number(text) }
}

const folder = mkdtempSync(join(tmpdir(), 'symphony-perf-'))
const settings = {
  folder,
  rounds: Number(values.rounds),
  connections: Number(values.connections ?? 1),
  shards: values.shards === undefined ? undefined : Number(values.shards),
  wake: wakePolicy(values.wake),
  pinTo: values.pin,
}

function printLatency(title: string, { rows }: LatencyReport): void {
  const head = [title, 'mean us', 'p50 us', 'p99 us', 'CPU us', 'x base mean', 'x base p99', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.meanMicros),
    figure(row.p50Micros),
    figure(row.p99Micros),
    figure(row.cpuMicros),
    times(row.ratio),
    times(row.p99Ratio),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  console.log(`${table(head, cells)}\n`)
}

function printThroughput({ bytes, rows }: ThroughputReport): void {
  const head = [
    `${String(bytes)} B`,
    'kframes/s',
    'MB/s',
    'main ns/frame',
    'CPU ms',
    'x naive',
    'x corked',
    'counts',
  ]
  const cells = rows.map((row) => [
    row.name,
    figure(row.framesPerSecond / 1000),
    figure(row.megabytesPerSecond),
    figure(row.mainNanosPerFrame),
    figure(row.cpuMs),
    times(row.timesNaive),
    times(row.timesCorked),
    row.verified ? 'right' : 'WRONG',
  ])
  console.log(`${table(head, cells)}\n`)
}

function printFlood({ bytes, rows }: FloodReport): void {
  const head = [
    `flood of ${String(bytes)} B`,
    'quiet us',
    'flooded us',
    'p99 us',
    'timers late ms',
    'p99 ms',
    'MB/s',
    'counts',
  ]
  const cells = rows.map((row) => [
    row.name,
    figure(row.quietMeanMicros),
    figure(row.floodedMeanMicros),
    figure(row.floodedP99Micros),
    figure(row.timerMeanMs, 2),
    figure(row.timerP99Ms, 2),
    figure(row.megabytesPerSecond),
    row.verified && row.wrong === 0 ? 'right' : 'WRONG',
  ])
  console.log(`${table(head, cells)}\n`)
}

function printHttp({ rows }: HttpReport): void {
  const head = ['round trip a request', 'requests/s', 'x base', 'mean ms', 'p99 ms', 'main us', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.requestsPerSecond, 0),
    times(row.ratio),
    figure(row.meanMs, 2),
    figure(row.p99Ms, 2),
    figure(row.mainMicros),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  console.log(`${table(head, cells)}\n`)
}

function printIdle(rows: readonly IdleRow[], watch: string): void {
  const head = ['idle connections', 'count', 'KiB each', `CPU ms in ${watch} s`]
  const cells = rows.map((row) => [
    row.name,
    String(row.connections),
    figure(row.bytesPerConnection / 1024, 2),
    figure(row.idleCpuMs),
  ])
  console.log(`${table(head, cells)}\n`)
}

function targets(text: string | undefined): readonly TargetName[] {
  if (text === undefined) return targetNames
  return text.split(',').map((part) => {
    const name = targetNames.find((known) => known === part)
    if (name === undefined) throw new Error(`no such target: ${part}. Known: ${targetNames.join(', ')}.`)
    return name
  })
}

function printPool({ rows }: PoolReport): void {
  const head = ['lending an idle connection', 'main CPU us', 'elapsed us', 'x base', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.mainMicros, 3),
    figure(row.elapsedMicros, 3),
    times(row.ratio),
    `${String(row.wrong)} of ${String(row.acquired)}`,
  ])
  console.log(`${table(head, cells)}\n`)
}

async function main(scenario: string | undefined): Promise<boolean> {
  const reports: unknown[] = []
  let right = true
  switch (scenario) {
    case 'latency':
      for (const bytes of numbers(values.sizes ?? '64')) {
        for (const rateHz of [0, ...numbers(values.rates)]) {
          const count =
            values.count === undefined
              ? rateHz === 0
                ? 10_000
                : Math.max(5, rateHz * 2)
              : Number(values.count)
          const report = await runLatency({
            ...settings,
            bytes,
            rateHz,
            count,
            warmUp: Math.min(count, 10_000),
            transport: transportOf(values.transport ?? SOCKETS),
          })
          printLatency(`${String(bytes)} B, ${rateHz === 0 ? 'closed loop' : `${String(rateHz)} Hz`}`, report)
          right &&= report.released && report.rows.every((row) => row.wrong === 0)
          reports.push({ bytes, rateHz, ...report })
        }
      }
      break
    case 'throughput':
      for (const bytes of numbers(values.sizes ?? '64,1024,65536,1048576')) {
        const report = await runThroughput({
          ...settings,
          bytes,
          frames: Number(values.count ?? 0),
          framings: framings(values.framings),
        })
        printThroughput(report)
        right &&= report.released && report.rows.every((row) => row.verified)
        reports.push(report)
      }
      break
    case 'flood':
      for (const bytes of numbers(values.sizes ?? '256,65536')) {
        const report = await runFlood({ ...settings, bytes, count: Number(values.count ?? 2000) })
        printFlood(report)
        right &&= report.released && report.rows.every((row) => row.verified && row.wrong === 0)
        reports.push(report)
      }
      break
    case 'http': {
      const report = await runHttp({
        ...settings,
        count: Number(values.count ?? 20_000),
        clients: Number(values.clients),
      })
      printHttp(report)
      right &&= report.released && report.rows.every((row) => row.wrong === 0)
      reports.push(report)
      break
    }
    case 'idle': {
      const connections = Number(values.connections ?? 10_000)
      const watch = values.watch ?? '30'
      const watchMs = Number(watch) * 1000
      const rows = await runIdle({ folder, connections, settleMs: Math.min(12_000, watchMs), watchMs })
      printIdle(rows, watch)
      reports.push(rows)
      break
    }
    case 'chaos': {
      const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
      console.log(`seed ${String(seed)}`)
      const report = await runChaos({
        seed,
        faults: Number(values.faults),
        targets: targets(values.transport),
        folder,
        watchdogMs: Number(values.watch ?? 60) * 1000,
        onFault: (done) => {
          if (done % 100 === 0) console.log(`${String(done)} faults are over`)
        },
      })
      for (const line of chaosLines(report)) console.log(line)
      right &&= report.failures.length === 0
      reports.push(report)
      break
    }
    case 'pool': {
      const report = await runPool({
        folder,
        rounds: settings.rounds,
        count: Number(values.count ?? 200_000),
        connections: Number(values.connections ?? 8),
      })
      printPool(report)
      right &&= report.released && report.rows.every((row) => row.wrong === 0)
      reports.push(report)
      break
    }
    default:
      console.log(usage)
      return values.help
  }
  if (values.json !== undefined) {
    writeFileSync(
      values.json,
      JSON.stringify(
        { machine: machineFacts(), settings: { ...settings, folder: undefined }, reports },
        null,
        2,
      ),
    )
  }
  return right
}

try {
  process.exitCode = (await main(values.help ? undefined : positionals[0])) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
