/**
 * `npm run perf -- SCENARIO [flags]`. Prints the baseline beside every figure; exits with 1 if a count is wrong, and
 * with 2 if the flags are, before anything is started.
 */
import { writeFileSync } from 'node:fs'
import { chaosLines } from './report/chaos.js'
import { targetNames } from './chaos/plan.js'
import { DEFAULT_CLIENTS, DEFAULT_REQUESTS, parseCommand, usage, type Command } from './flags.js'
import { machineFacts } from './harness/machine.js'
import { SOCKETS } from './harness/meeting-place.js'
import { makeRunFolder } from './harness/run-folder.js'
import { figure, table, times } from './report/table.js'
import { runAccepts, type AcceptsReport } from './scenarios/accepts.js'
import { runChaos } from './scenarios/chaos.js'
import { runChurn, type ChurnRow } from './scenarios/churn.js'
import { runFlood, type FloodReport } from './scenarios/flood.js'
import { runHttp, type HttpReport } from './scenarios/http.js'
import { runIdle, type IdleRow } from './scenarios/idle.js'
import { runLatency, type LatencyReport } from './scenarios/latency.js'
import { runPool, type PoolReport } from './scenarios/pool.js'
import { runThroughput, type ThroughputReport } from './scenarios/throughput.js'

const DEFAULT_ROUNDS = 5

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

function printAccepts({ calling, rows }: AcceptsReport): void {
  const head = [`accepting: ${calling}`, 'a second', 'x base', 'CPU us', 'callers CPU us', 'backlog full each', 'wrong']
  const cells = rows.map((row) => [
    row.name,
    figure(row.perSecond, 0),
    times(row.ratio),
    figure(row.cpuMicros),
    figure(row.callerCpuMicros),
    figure(row.fullShare, 2),
    `${String(row.wrong)} of ${String(row.count)}`,
  ])
  console.log(`${table(head, cells)}\n`)
}

function printChurn(bytes: number, rows: readonly ChurnRow[]): void {
  const head = [
    `${String(bytes)} B echoed by each`,
    'connections/s',
    'resident MiB by thirds',
    'peak MiB',
    'ring MiB',
    'counts',
  ]
  const cells = rows.map((row) => [
    row.name,
    figure((row.served / row.elapsedMs) * 1_000),
    row.residentMiB.map((mib) => mib.toFixed(0)).join(', '),
    figure(row.peakMiB),
    figure(row.ringMiB),
    row.verified ? 'right' : 'WRONG',
  ])
  console.log(`${table(head, cells)}\n`)
}

function printThroughput({ bytes, rows }: ThroughputReport): void {
  const head = [`${String(bytes)} B`, 'kframes/s', 'MB/s', 'main ns/frame', 'CPU ms', 'x naive', 'x corked', 'counts']
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

function printIdle(rows: readonly IdleRow[], watch: number): void {
  const head = ['idle connections', 'count', 'KiB each', `CPU ms in ${String(watch)} s`]
  const cells = rows.map((row) => [
    row.name,
    String(row.connections),
    figure(row.bytesPerConnection / 1024, 2),
    figure(row.idleCpuMs),
  ])
  console.log(`${table(head, cells)}\n`)
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

/** What the runs of engines between two processes have in common. */
function contest(
  folder: string,
  { rounds = DEFAULT_ROUNDS, connections = 1, shards, wake, pin }: Extract<Command, { scenario: 'latency' }>['flags'],
) {
  return { folder, rounds, connections, shards, wake, pinTo: pin === undefined ? undefined : String(pin) }
}

/** Whether everything was right, and the figures. */
async function run(command: Command, folder: string): Promise<{ right: boolean; reports: unknown[] }> {
  const reports: unknown[] = []
  let right = true
  switch (command.scenario) {
    case 'latency': {
      const { flags } = command
      const { sizes = [64], rates = [], transport = SOCKETS } = flags
      for (const bytes of sizes) {
        for (const rateHz of [0, ...rates]) {
          const count = flags.count ?? (rateHz === 0 ? 10_000 : Math.max(5, Math.ceil(rateHz * 2)))
          const report = await runLatency({
            ...contest(folder, flags),
            bytes,
            rateHz,
            count,
            warmUp: Math.min(count, 10_000),
            transport,
          })
          printLatency(`${String(bytes)} B, ${rateHz === 0 ? 'closed loop' : `${String(rateHz)} Hz`}`, report)
          right &&= report.released && report.rows.every((row) => row.wrong === 0)
          reports.push({ bytes, rateHz, ...report })
        }
      }
      break
    }
    case 'throughput': {
      const { flags } = command
      for (const bytes of flags.sizes ?? [64, 1_024, 65_536, 1_048_576]) {
        const report = await runThroughput({
          ...contest(folder, flags),
          bytes,
          frames: flags.count ?? 0,
          framings: flags.framings ?? [],
        })
        printThroughput(report)
        right &&= report.released && report.rows.every((row) => row.verified)
        reports.push(report)
      }
      break
    }
    case 'flood': {
      const { flags } = command
      for (const bytes of flags.sizes ?? [256, 65_536]) {
        const report = await runFlood({ ...contest(folder, flags), bytes, count: flags.count ?? 2_000 })
        printFlood(report)
        right &&= report.released && report.rows.every((row) => row.verified && row.wrong === 0)
        reports.push(report)
      }
      break
    }
    case 'http': {
      const { flags } = command
      const { count = DEFAULT_REQUESTS, clients = DEFAULT_CLIENTS } = flags
      const report = await runHttp({ ...contest(folder, flags), count, clients })
      printHttp(report)
      right &&= report.released && report.rows.every((row) => row.wrong === 0)
      reports.push(report)
      break
    }
    case 'idle': {
      const { connections = 10_000, watch = 30 } = command.flags
      const watchMs = watch * 1_000
      const rows = await runIdle({ folder, connections, settleMs: Math.min(12_000, watchMs), watchMs })
      printIdle(rows, watch)
      reports.push(rows)
      break
    }
    case 'churn': {
      const { sizes = [200_000], connections = 10_000, clients: concurrency = 1 } = command.flags
      const { shards = 1, framings = ['length'] } = command.flags
      for (const bytes of sizes) {
        const rows = await runChurn({ folder, connections, bytes, concurrency, shards, framings })
        printChurn(bytes, rows)
        right &&= rows.every((row) => row.verified)
        reports.push(rows)
      }
      break
    }
    case 'accepts': {
      const { rounds = DEFAULT_ROUNDS, count = 10_000, clients: atOnce = 32, shards, pin } = command.flags
      const pinTo = pin === undefined ? undefined : String(pin)
      for (const report of await runAccepts({ folder, rounds, count, atOnce, shards, pinTo })) {
        printAccepts(report)
        right &&= report.released && report.rows.every((row) => row.wrong === 0)
        reports.push(report)
      }
      break
    }
    case 'chaos': {
      const { faults = 1_000, transport = targetNames, watch = 60 } = command.flags
      const seed = command.flags.seed ?? Math.floor(Math.random() * 2 ** 31)
      console.log(`seed ${String(seed)}`)
      const report = await runChaos({
        seed,
        faults,
        targets: transport,
        folder,
        watchdogMs: watch * 1_000,
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
      const { rounds = DEFAULT_ROUNDS, count = 200_000, connections = 8 } = command.flags
      const report = await runPool({ folder, rounds, count, connections })
      printPool(report)
      right &&= report.released && report.rows.every((row) => row.wrong === 0)
      reports.push(report)
      break
    }
  }
  return { right, reports }
}

async function main(): Promise<number> {
  const parsed = parseCommand(process.argv.slice(2))
  switch (parsed.kind) {
    case 'help':
      console.log(usage)
      return 0
    case 'wrong':
      console.error(parsed.message)
      return 2
    case 'run': {
      const { right, reports } = await run(parsed.command, makeRunFolder('symphony-perf-'))
      const { scenario, flags } = parsed.command
      if (flags.json !== undefined) {
        const all = { machine: machineFacts(), scenario, settings: flags, reports }
        writeFileSync(flags.json, JSON.stringify(all, null, 2))
      }
      return right ? 0 : 1
    }
  }
}

process.exitCode = await main()
