/** `npm run perf -- compare`: who wins a table, and that one peer's mistakes are its own. */
import test from 'ava'
import { availabilityOf, peerCatalogue, type PeerEntry } from '../../perf/harness/peer-catalogue.js'
import { silent } from '../../perf/harness/progress.js'
import { compareLines, compareOutcome, compareTable } from '../../perf/report/compare-table.js'
import { busyLine, machineLine } from '../../perf/report/machine-line.js'
import { winnerLines } from '../../perf/report/winner.js'
import { runCompare, type ComparePlan } from '../../perf/scenarios/compare.js'
import {
  idleWork,
  roundTripWork,
  streamWork,
  type ComparedRow,
  type ComparedTable,
} from '../../perf/scenarios/compared-works.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000

/** Rounds of what decides. */
function row(name: string, key: string, rounds: readonly number[], isRight = true): ComparedRow {
  const isOurs = name.startsWith('engine')
  const samples = rounds.map((value) => ({ values: { [key]: value }, isRight }))
  return {
    name,
    peer: isOurs ? 'engine' : name,
    ours: name === 'engine, unix' ? 'unix' : name === 'engine, shm' ? 'shm' : undefined,
    remark: undefined,
    outcome: { kind: 'measured', samples },
  }
}

const stream = (...rows: readonly ComparedRow[]): ComparedTable => ({ work: streamWork(64), rows })

test('the engine wins where its figure is better in the rounds, over each transport by itself', (t) => {
  const table = stream(
    row('engine, unix', 'rate', [200, 210, 190]),
    row('engine, shm', 'rate', [400, 400, 400]),
    row('net', 'rate', [100, 105, 95]),
    row('zeromq', 'rate', [50, 50, 50]),
  )
  t.deepEqual(winnerLines(table), [
    '64 B stream: the engine over unix wins, 2.00 times faster than net',
    '64 B stream: the engine over shm wins, 4.00 times faster than net',
  ])
})

test('another one that is better is named as the winner, with the reason where it is known', (t) => {
  const table = (best: string): ComparedTable => ({
    work: roundTripWork(64),
    rows: [row('engine, unix', 'p50', [28, 29, 28]), row(best, 'p50', [25, 25, 24]), row('other', 'p50', [60, 60, 60])],
  })
  const [known] = winnerLines(table('net'))
  t.regex(known ?? '', /^64 B round trip: net wins, 1\.12 times faster than the engine over unix \(one frame at a time/)
  t.deepEqual(winnerLines(table('grpc-js')), [
    '64 B round trip: grpc-js wins, 1.12 times faster than the engine over unix',
  ])
})

test('nobody wins where the rounds do not agree', (t) => {
  const rounds = [100, 120, 90, 110, 100]
  const table = stream(row('engine, unix', 'rate', [105, 100, 100, 100, 105]), row('net', 'rate', rounds))
  t.deepEqual(winnerLines(table), [
    '64 B stream: a tie of the engine over unix and net (1.00 times, within the spread: the rounds do not agree)',
  ])
})

test('one round of five that is against all others takes no win away', (t) => {
  const table = stream(row('engine, unix', 'rate', [100, 20, 100, 100, 100]), row('net', 'rate', [50, 50, 50, 50, 50]))
  t.deepEqual(winnerLines(table), ['64 B stream: the engine over unix wins, 2.00 times faster than net'])
})

test('what is wrong, or has no memory that can be told, wins nothing', (t) => {
  const table = stream(
    row('engine, unix', 'rate', [100]),
    row('net', 'rate', [50]),
    row('zeromq', 'rate', [900], false),
  )
  t.deepEqual(winnerLines(table), ['64 B stream: the engine over unix wins, 2.00 times faster than net'])
  const idle = {
    work: idleWork(10),
    rows: [row('engine, unix', 'both', [20]), row('grpc-js', 'both', [10]), row('zeromq', 'both', [-4])],
  }
  t.deepEqual(winnerLines(idle), [
    'memory of 10 idle connections: grpc-js wins, 2.00 times smaller than the engine over unix',
  ])
})

test('the handler module is no row of another side', (t) => {
  const table = stream(row('engine, unix', 'rate', [100]), row('engine, handler module', 'rate', [900]))
  t.deepEqual(winnerLines(table), [])
})

test('each row says how many times worse it is than the engine, and what it cannot do stands below', (t) => {
  const child: ComparedRow = {
    ...row('child', 'rate', []),
    outcome: { kind: 'absent', why: 'a child is one connection' },
  }
  const rows = [row('engine, unix', 'rate', [200, 200]), row('net', 'rate', [100, 110]), child]
  const lines = compareTable(stream(...rows)).split('\n')
  const cells = lines.map((line) => line.trim().split(/ {2,}/))
  t.deepEqual(cells[0], [
    ...['64 B stream', '*frames/s', 'MB/s', 'sender ns', 'receiver ns', 'CPU ns', 'spread'],
    ...['behind unix', 'counts'],
  ])
  t.deepEqual(cells[3], ['net', '105', '-', '-', '-', '-', '10 %', '1.90x', 'right'])
  t.deepEqual(cells[4], ['child', '-', '-', '-', '-', '-', '-', '-', '-'])
  t.deepEqual(lines[5], '  child: a child is one connection')
})

test('a peer whose package is not there says what brings it', (t) => {
  for (const entry of peerCatalogue(['unix'])) {
    const { packages } = entry
    const available = availabilityOf(entry, () => false, '24.0.0')
    t.is(available.kind, packages === undefined ? 'there' : 'missing', entry.name)
    if (available.kind === 'missing') t.true(available.why.endsWith('is not installed: npm ci --prefix perf/peers'))
  }
})

test('a peer that needs a newer Node runs on the one that is installed for it, or says so', (t) => {
  const nodeIpc = peerCatalogue([]).find(({ peer }) => peer === 'node-ipc')
  if (nodeIpc === undefined) throw new Error('there is no node-ipc')
  const onlyItself = (name: string): boolean => name === 'node-ipc'
  t.deepEqual(availabilityOf(nodeIpc, onlyItself, '20.19.0'), { kind: 'missing', why: 'it needs Node 22.13' })
  t.is(availabilityOf(nodeIpc, onlyItself, '22.13.0').kind, 'there')
  t.is(availabilityOf(nodeIpc, onlyItself, '22.12.9').kind, 'missing')
})

test('figures begin with the machine, and say so where it has other work', (t) => {
  const facts = {
    node: 'v20.19.0',
    platform: 'linux x64',
    kernel: '6.1',
    cpu: 'CPU',
    cpus: 2,
    memoryBytes: 2 ** 32,
    loadAverage: 1.96,
  }
  t.is(machineLine(facts), 'Node v20.19.0, linux x64, kernel 6.1, 2 of CPU, 4 GiB, load 2.0')
  t.is(busyLine(facts), undefined)
  t.regex(busyLine({ ...facts, loadAverage: 3.1 }) ?? '', /BUSY/)
})

const COUNT = 40

function plan(folder: string, entries: readonly PeerEntry[], others: Partial<ComparePlan> = {}): ComparePlan {
  return {
    folder,
    entries,
    works: ['round-trip', 'stream', 'fan-in', 'idle'],
    sizes: [64, 65_536],
    connections: [2, 5],
    rounds: 2,
    durationMs: 1,
    count: COUNT,
    pinTo: undefined,
    patienceMs: WATCHDOG_MS,
    progress: silent,
    onTable: () => undefined,
    ...others,
  }
}

const named = (...names: readonly string[]): PeerEntry[] =>
  peerCatalogue(['unix']).filter(({ name }) => names.includes(name))

const faulty = (variant: string): PeerEntry => ({
  peer: 'faulty',
  name: `faulty, ${variant}`,
  module: new URL('../fixtures/faulty-peer.js', import.meta.url).href,
  variant,
})

test('a run has every piece of work, with all counts right, and hands on figures', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const shown: ComparedTable[] = []
  try {
    const entries = named('engine, unix', 'net', 'child_process, json')
    const report = await runCompare(plan(folder.path, entries, { onTable: (table) => void shown.push(table) }))
    t.deepEqual(shown, [...report.tables])
    t.deepEqual(
      report.tables.map(({ work, rows }) => [work.title, ...rows.map(({ outcome }) => outcome.kind)]),
      [
        ['64 B round trip', 'measured', 'measured', 'measured'],
        ['64 B requests of 2 connections', 'measured', 'measured', 'absent'],
        ['64 B requests of 5 connections', 'measured', 'measured', 'absent'],
        ['64 B stream', 'measured', 'measured', 'measured'],
        ['64 KiB stream', 'measured', 'measured', 'measured'],
        ['memory of 5 idle connections', 'measured', 'measured', 'absent'],
      ],
    )
    const { right, figures } = compareOutcome(report)
    t.true(right)
    t.deepEqual(compareLines(report), [])
    const rates = figures.filter(({ metric, at }) => metric === 'frames a second' && at['bytes'] === 64)
    t.deepEqual(
      rates.map(({ contender, isBaseline, samples }) => [contender, isBaseline, samples.length]),
      [
        ['net', true, 2],
        ['engine, unix', false, 2],
        ['child_process, json', false, 2],
      ],
    )
  } finally {
    await folder.remove()
  }
})

test('data that is not what was sent is WRONG, and so is the run; what fails or is not installed leaves the rest', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const missing: PeerEntry = { ...faulty('none'), name: 'missing', packages: ['no-such-package'] }
    const entries = [faulty('changes'), faulty('throws'), missing, ...named('net')]
    const others = { works: ['round-trip', 'stream'], sizes: [64], rounds: 1 } as const
    const report = await runCompare(plan(folder.path, entries, others))
    for (const table of report.tables) {
      const lines = compareTable(table).split('\n')
      t.regex(lines[2] ?? '', /^faulty, changes .* WRONG$/)
      t.regex(lines[3] ?? '', /^faulty, throws .* FAILED$/)
      t.regex(lines[4] ?? '', /^missing .* -$/)
      t.regex(lines[5] ?? '', /^net .* right$/)
      t.true(lines.includes('  faulty, throws: it does not like to be started'))
      t.true(lines.includes('  missing: not run: no-such-package is not installed: npm ci --prefix perf/peers'))
    }
    t.is(report.tables.length, 2)
    t.false(compareOutcome(report).right)
  } finally {
    await folder.remove()
  }
})

test('messages that get lost are said once they are late', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const others = { works: ['stream'], sizes: [64], rounds: 1, patienceMs: 300 } as const
    const report = await runCompare(plan(folder.path, [faulty('loses')], others))
    const [outcome] = report.tables.flatMap(({ rows }) => rows.map((each) => each.outcome))
    t.deepEqual(outcome, { kind: 'failed', why: 'messages are missing: taken was not said within 0.3 s' })
    t.false(compareOutcome(report).right)
  } finally {
    await folder.remove()
  }
})
