/**
 * `npm start`: real processes over a real socket, the mission's figures beside their targets and beside plain `net`
 * in the same run. Fails on a wrong count or checksum, an unbalanced ledger, or a ratio far off its goal; never on
 * absolute time, which is the machine's.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Endpoint, type Engine } from '../api/index.js'
import { machineFacts } from './harness/machine.js'
import { figure, table, times } from './report/table.js'
import { runLatency } from './scenarios/latency.js'
import { runReconnects } from './scenarios/reconnects.js'
import { runThroughput } from './scenarios/throughput.js'

/** Ratios that only a defect can miss: on a machine whose CPUs are all taken, an honest run reaches nine times net. */
const WORST_LATENCY_RATIO = 15
const WORST_THROUGHPUT_RATIO = 2

const failures: string[] = []
const rows: string[][] = []

function check(what: string, holds: boolean): void {
  if (!holds) failures.push(what)
}

const folder = mkdtempSync(join(tmpdir(), 'symphony-check-'))
const settings = { folder, connections: 1, shards: undefined, wake: undefined, pinTo: undefined }

async function latency(transport: 'unix' | 'stdio', title: string, target: string): Promise<void> {
  const { rows: measured, released } = await runLatency({
    ...settings,
    transport,
    bytes: 64,
    rounds: 3,
    count: 5_000,
    warmUp: 6_000,
    rateHz: 0,
  })
  const [baseline, ...others] = measured
  for (const row of measured) check(`${row.name}: ${String(row.wrong)} wrong replies`, row.wrong === 0)
  for (const row of others) {
    if (baseline === undefined) continue
    check(`${row.name}: round trip ${times(row.ratio)} of ${baseline.name}`, row.ratio < WORST_LATENCY_RATIO)
    for (const [label, value, base, goal] of [
      ['mean', row.meanMicros, baseline.meanMicros, target],
      ['p50', row.p50Micros, baseline.p50Micros, ''],
      ['p99', row.p99Micros, baseline.p99Micros, ''],
    ] as const) {
      rows.push([
        `${title}, 64 B, ${row.name}, ${label}`,
        `${figure(value)} us`,
        goal,
        `${figure(base)} us`,
        times(value / base),
      ])
    }
  }
  check('a program of the round-trip run left something open', released)
}

async function throughput(): Promise<void> {
  const { rows: measured, released } = await runThroughput({
    ...settings,
    bytes: 64,
    rounds: 3,
    frames: 400_000,
  })
  const naive = measured.find((row) => row.name === 'net naive')
  for (const row of measured) {
    check(`${row.name}: frames or checksum wrong`, row.verified)
    if (row.name !== 'engine to engine' || naive === undefined) continue
    check(`64 B frames a second: ${times(row.timesNaive)} of net`, row.timesNaive > WORST_THROUGHPUT_RATIO)
    rows.push([
      'frames a second, 64 B, engine to engine',
      `${figure(row.framesPerSecond / 1000, 0)} k`,
      '',
      `${figure(naive.framesPerSecond / 1000, 0)} k`,
      times(row.timesNaive),
    ])
  }
  check('a program of the throughput run left something open', released)
}

async function reconnects(): Promise<void> {
  const losses = 1_000
  const result = await runReconnects({ folder, losses, limitMs: 5_000 })
  const share = (result.succeeded / losses) * 100
  rows.push([
    `reconnects that succeed, of ${String(losses)}`,
    `${figure(share, 1)} % (mean ${figure(result.meanMs, 1)} ms)`,
    '> 99 %',
    '',
    '',
  ])
  check(`reconnects: ${figure(share, 1)} %`, share > 99)
  check(`reconnects: ${String(result.unaccounted)} frames unaccounted for`, result.unaccounted === 0)
  check('the reconnects run left something open', result.released)
}

/** Every endpoint kind carries frames, intact; then the ledger must balance and the system must agree. */
async function everyTransport(engine: Engine): Promise<void> {
  const endpoints: Endpoint[] = [
    `unix:${join(folder, 'check.sock')}`,
    'memory:check',
    `local:check-${String(process.pid)}`,
  ]
  if (process.platform === 'linux') endpoints.push(`unix:@symphony-check-${String(process.pid)}`)
  for (const endpoint of endpoints) {
    const transport = engine.transport(endpoint)
    const listener = await transport.listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame), { borrow: true })
    })
    let frames = 0
    for (let lap = 0; lap < 25; lap++) {
      const connection = await transport.connect()
      for (const bytes of [0, 64, 65_536, 300_000]) {
        const sent = Buffer.alloc(bytes, lap)
        connection.send(sent)
        const back = await connection.receive()
        if (back?.equals(sent) === true) frames++
      }
      await connection.close()
    }
    check(`${transport.endpoint}: ${String(frames)} of 100 frames came back intact`, frames === 100)
    await listener.close()
  }
  if (process.platform !== 'win32') await aChild(engine)
}

async function aChild(engine: Engine): Promise<void> {
  const transport = engine.transport({ kind: 'stdio', command: 'cat' })
  const connection = await transport.connect()
  const sent = Buffer.alloc(300_000, 7)
  connection.send(sent)
  const back = await connection.receive()
  check(`${transport.endpoint}: a frame came back intact`, back?.equals(sent) === true)
  const { code, exitCode } = await connection.close()
  check(`${transport.endpoint}: ${code}, exit code ${String(exitCode)}`, code === 'OK' && exitCode === 0)
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return undefined
  }
}

async function resources(): Promise<void> {
  const warmUp = await createEngine({ shards: 2 })
  await warmUp.close()
  const before = openDescriptors()
  const engine = await createEngine({ shards: 2 })
  await everyTransport(engine)
  const { opened, released, leaked } = await engine.close()
  const after = openDescriptors()
  const share = opened === 0 ? 0 : (released / opened) * 100
  rows.push([
    'resources released',
    `${figure(share, 0)} % (${String(released)} of ${String(opened)})`,
    '100 %',
    '',
    '',
  ])
  check(`the ledger says that ${String(leaked)} resources leaked`, leaked === 0)
  check(`${String(before)} descriptors before, ${String(after)} after`, before === after)
  const files = readdirSync(folder).filter((name) => !name.startsWith('net-'))
  check(`files left behind: ${files.join(', ')}`, files.length === 0)
}

try {
  const { node, platform, cpus } = machineFacts()
  console.log(`symphony-transport self-check: Node ${node}, ${platform}, ${String(cpus)} CPUs\n`)
  await latency('unix', 'Unix socket round trip', '< 100 us')
  if (process.platform === 'win32')
    rows.push(['stdio round trip', 'not available on this platform', '', '', ''])
  else await latency('stdio', 'stdio round trip', '< 1,000 us')
  rows.push(['named pipe round trip', 'not available on this platform', '< 200 us', '', ''])
  await throughput()
  // The peer listens on a socket path.
  if (process.platform !== 'win32') await reconnects()
  await resources()
  console.log(table(['metric', 'measured', 'target', 'baseline, same run', 'x baseline'], rows))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (failures.length === 0) {
  console.log('\nAll counts, checksums and the ledger are right.')
} else {
  console.log(`\nFAILED:\n${failures.map((failure) => `  - ${failure}`).join('\n')}`)
  process.exitCode = 1
}
