/** `symphony-transport tune`: what it tries, what it recommends, and that it never recommends noise. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { createEngine } from '../../api/index.js'
import { confidenceOfEach, judgeChange } from '../../perf/report/change.js'
import { tuneLines, tuneTable } from '../../perf/report/tune-table.js'
import { candidatesFor, mergedOf } from '../../perf/scenarios/tune-candidates.js'
import type { TuneReport, TuneRow } from '../../perf/scenarios/tune.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { runToEnd, type Ended } from '../package/project.js'

/** Each measurement starts programs of its own. */
const WATCHDOG_MS = 180_000
const program = fileURLToPath(new URL('../../api/cli/main.js', import.meta.url))

function tune(...words: readonly string[]): Promise<Ended> {
  return runToEnd(process.execPath, [program, 'tune', ...words], process.cwd(), WATCHDOG_MS)
}

const situation = { wanted: undefined, connections: 8, framing: 'length', isShared: false, cpus: 4 } as const
const names = (given: Partial<Parameters<typeof candidatesFor>[0]>): readonly string[] =>
  candidatesFor({ ...situation, ...given }).map(({ name }) => name)

test('options are tried one at a time, where they can matter', (t) => {
  t.deepEqual(names({ wanted: ['shards', 'inline'] }), ['shards: 1', 'shards: 2', 'shards: 4', "inlineWrites: 'never'"])
  t.deepEqual(names({ wanted: ['shards'], connections: 1 }), [])
  t.deepEqual(names({ wanted: ['shards', 'inline'], isShared: true }), [])
  t.deepEqual(names({ wanted: ['inline'], framing: 'line' }), [])
  t.deepEqual(names({ wanted: ['wake'] }), ["wake: 'park'", 'wake: { spinMicros: 20 }', 'wake: { spinMicros: 200 }'])
})

test('the best of each kind are put together, and the best alone is kept beside them', (t) => {
  const [park, spin] = candidatesFor({ ...situation, wanted: ['wake'] })
  const [rings] = candidatesFor({ ...situation, wanted: ['rings'] })
  if (park === undefined || spin === undefined || rings === undefined) return t.fail()
  t.deepEqual(mergedOf([]), [])
  t.deepEqual(mergedOf([park, spin]), [park])
  t.deepEqual(
    mergedOf([rings, park, spin]).map(({ tuning }) => tuning),
    [{ initialRingBytes: 131_072, wake: 'park' }, { initialRingBytes: 131_072 }],
  )
})

const base = [100, 104, 98, 101, 99, 103, 97, 102]
const row = (name: string, tuning: TuneRow['tuning'], samples: readonly number[]): TuneRow => ({
  ...{ name, tuning, perSecond: 10_000, p50Micros: 100, p99Micros: 200, cpuMicros: 50, count: 8 },
  judgement: judgeChange(samples, base, 'lower', { margin: 0.03, confidence: confidenceOfEach(1) }),
})
const words = { objective: 'latency', isHigherBetter: false, rounds: 8, margin: 0.03, ends: ', for both ends' } as const
const defaults: TuneRow = { ...row('defaults', {}, base), judgement: undefined }
const report = (more: Partial<TuneReport>): TuneReport => ({
  ...{ swept: [defaults], again: [], recommended: undefined, wrong: 0, released: true, figures: [] },
  ...more,
})

test('what is recommended stands as code, with its reason and its spread', (t) => {
  const park = row(
    "wake: 'park'",
    { wake: 'park' },
    base.map((value) => value * 0.8),
  )
  t.is(park.judgement?.change.kind, 'faster')
  t.deepEqual(tuneLines(report({ swept: [defaults, park], again: [park], recommended: park }), words), [
    'Recommended, for both ends:',
    '',
    '  const engine = await createEngine({',
    "    wake: 'park',",
    '  })',
    '',
    'Why: the median round trip is 20.0 (20.0 to 20.0) % better than with',
    'the defaults, measured again in 8 rounds of fresh programs, beyond 3 %.',
  ])
  const table = tuneTable([defaults, park], words)
  t.regex(table, /^wake: 'park' +100\.0 +200\.0 +10\.0k +50\.0 +20\.0 \(20\.0 to 20\.0\)$/m)
  for (const line of table.split('\n')) t.true(line.length <= 80, line)
})

test('noise is not recommended, nor anything by a peer that answers wrongly', (t) => {
  // Better in most rounds, and worse in two.
  const noisy = row('shards: 2', { shards: 2 }, [80, 83, 110, 81, 79, 115, 78, 80])
  t.is(noisy.judgement?.change.kind, 'untold')
  t.regex(
    tuneLines(report({ swept: [defaults, noisy] }), words).join('\n'),
    /^Recommended: createEngine\(\) as it is\./,
  )
  t.deepEqual(tuneLines(report({ wrong: 2 }), words), [
    '2 answers were not the frame that was sent: nothing is recommended.',
  ])
})

test.serial('it measures a peer that echoes in its own framing, and says why it recommends nothing', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1 })
  try {
    const [echo, liar] = [folder.endpoint(), folder.endpoint()]
    await engine.transport(echo, { framing: 'line' }).listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame))
    })
    await engine.transport(liar, { framing: 'line' }).listen((connection) => {
      connection.subscribe(() => void connection.send('no'))
    })
    const tiny = ['--framing', 'line', '--sweep', 'wake', '--rounds', '1', '--duration', '0.02', '--size', '20']
    const [right, wrong] = await Promise.all([tune('--endpoint', echo, ...tiny), tune('--endpoint', liar, ...tiny)])
    t.is(right.end, 0, right.stderr)
    t.regex(right.stdout, /^20 B, 1 connection, 1 under way on each, /)
    t.regex(right.stdout, /^wake: 'park' .*\(too few rounds\)$/m)
    t.regex(right.stdout, /^Recommended: createEngine\(\) as it is\./m)
    t.is(wrong.end, 2)
    t.regex(wrong.stderr, /^symphony-transport: .*: another one came\.\n$/)
    t.is(wrong.stdout, '')
  } finally {
    await engine.close()
    await folder.remove()
  }
})

test.serial('it brings an echo of its own, over which frames may be due at fixed times', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { end, stdout, stderr } = await tune(
    '--sweep',
    'inline',
    '--rounds',
    '1',
    '--duration',
    '0.02',
    '--rate',
    '500',
  )
  const isPosix = process.platform !== 'win32'
  t.is(end, 0, stderr)
  t.regex(stdout, /^64 B, 1 connection, 500 a second, /)
  if (isPosix) t.regex(stdout, /^inlineWrites: 'never' /m)
})

test('what does not go together is refused before anything starts', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (const [other, value, complaint] of [
    ['--objective', 'throughput', '--rate says what the throughput is'],
    ['--depth', '2', '--depth and --rate both say what the load is'],
  ] as const) {
    const { end, stderr } = await tune('--rate', '5', other, value)
    t.is(end, 2)
    t.is(stderr, `symphony-transport: ${complaint}. See symphony-transport tune --help.\n`)
  }
})
