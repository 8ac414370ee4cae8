/** `npm run perf -- report`: what it takes, what it reads, and what it writes. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { measureSet } from '../../perf/commands/measure-set.js'
import { scenarios } from '../../perf/commands/registry.js'
import { defineScenario } from '../../perf/commands/scenario.js'
import { sets } from '../../perf/commands/sets.js'
import { silent } from '../../perf/harness/progress.js'
import { ofAll, rounds } from '../../perf/options/options.js'
import { parse, type Parsed } from '../../perf/options/parse.js'
import { commandText } from '../../perf/report/page/command-text.js'
import { readRuns } from '../../perf/report/page/read-runs.js'
import type { Figure } from '../../perf/report/figure.js'
import { sampleRuns } from '../helpers/sample-runs.js'
import { root } from '../helpers/sources.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const [sample] = sampleRuns

async function fileWith(t: ExecutionContext, content: unknown): Promise<string> {
  const folder = await makeTemporaryFolder()
  t.teardown(() => folder.remove())
  const file = join(folder.path, 'figures.json')
  await fs.writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

const complaint = (parsed: Parsed): string => (parsed.kind === 'wrong' ? parsed.message : `none: ${parsed.kind}`)
const ofFile = (file: string): string => complaint(parse(['report', '--from', file], scenarios)).replace(file, 'FILE')

test('every line of every set is a command line', (t) => {
  for (const line of Object.values(sets).flat()) {
    const parsed = parse(line.split(' '), scenarios)
    t.is(parsed.kind, 'run', `${line}: ${complaint(parsed)}`)
  }
})

test('a set has a name, or is a list of scenarios', (t) => {
  const lines = (set: string): unknown => {
    const parsed = parse(['report', '--set', set], scenarios)
    return parsed.kind === 'run' ? parsed.given['set'] : complaint(parsed)
  }
  t.deepEqual(lines('latency,throughput'), ['latency', 'throughput'])
  t.is(lines('quick'), sets['quick'])
  t.regex(
    String(lines('latency,report')),
    /--set latency,report: expected quick, standard, full, or a list of scenarios/,
  )
})

test('a file that cannot be used is told in one line, with the place', async (t) => {
  t.regex(ofFile('nowhere.json'), /^npm run perf: FILE cannot be read: ENOENT[^\n]*$/)
  t.regex(ofFile(await fileWith(t, '{ "machine": ')), /^npm run perf: FILE is no JSON: [^\n]*$/)
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [[], /FILE is not what --json writes: /],
    [{ ...sample, version: 2 }, /version: Invalid type: Expected 1 but received 2/],
    [{ ...sample, figures: [{ ...sample?.figures[0], samples: [] }] }, /figures\.0\.samples: /],
    [{ ...sample, figures: [{ ...sample?.figures[0], unit: 'miles' }] }, /figures\.0\.unit: /],
    [{ ...sample, figures: [{ ...sample?.figures[0], at: { bytes: null } }] }, /figures\.0\.at\.bytes: /],
    [{ version: 1, scenario: 'report', reports: [{ ...sample, machine: {} }] }, /reports\.0\.machine\.node: /],
  ]
  for (const [content, expected] of wrong) {
    const said = ofFile(await fileWith(t, content))
    t.regex(said, expected)
    t.notRegex(said, /\n/)
  }
})

test('names of charts that there are not are told, with those that there are', async (t) => {
  const file = await fileWith(t, sample)
  const args = ['report', '--from', file, '--pictures', 'pictures', '--charts']
  t.regex(complaint(parse([...args, 'nothing'], scenarios)), /there is no chart nothing; there are latency-overview, /)
  t.is(parse([...args, 'latency-overview'], scenarios).kind, 'run')
  t.regex(complaint(parse(['report', '--set', 'quick', '--from', file], scenarios)), /give one of them/)
  t.regex(complaint(parse(['report', '--charts', 'some'], scenarios)), /--pictures FOLDER/)
})

test('the program writes page, pictures and figures, which it can read again; bad input ends it with code 2', async (t) => {
  const file = await fileWith(t, { version: 1, scenario: 'report', reports: sampleRuns })
  const folder = join(file, '..')
  const run = (...args: readonly string[]): { code: number | null; err: string } => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'dist/perf/run.js'), 'report', ...args], {
      cwd: folder,
      encoding: 'utf8',
    })
    return { code: status, err: stderr }
  }
  const written = ['--pictures', 'pictures', '--charts', 'latency-overview', '--json', 'again.json']
  t.deepEqual(run('--from', 'figures.json', ...written), { code: 0, err: '' })
  t.deepEqual((await fs.readdir(folder)).sort(), ['again.json', 'figures.json', 'pictures', 'symphony-perf.html'])
  t.deepEqual((await fs.readdir(join(folder, 'pictures'))).sort(), [
    'latency-overview-dark.svg',
    'latency-overview-light.svg',
  ])
  t.deepEqual(
    readRuns(join(folder, 'again.json')).map(({ scenario, figures }) => [scenario, figures.length]),
    sampleRuns.map(({ scenario, figures }) => [scenario, figures.length]),
  )
  t.deepEqual(run('--from', 'missing.json').code, 2)
})

test('a set runs one scenario after the other, and goes on without one that fails', async (t) => {
  const figure: Figure = {
    ...{ metric: 'm', unit: 'us', better: 'lower', contender: 'c', isBaseline: true },
    ...{ at: {}, samples: [1] },
  }
  const begun: string[] = []
  const of = (name: string, right: boolean) =>
    defineScenario({
      ...{ name, summary: '', options: { rounds, ...ofAll }, examples: [] },
      run({ rounds: asked }, { folder }) {
        begun.push(`${name} ${String(asked)}`)
        if (name === 'bad') return Promise.reject(new Error('on purpose'))
        return fs.access(folder).then(() => ({ right, reports: [], figures: [figure] }))
      },
    })
  const folder = await makeTemporaryFolder()
  t.teardown(() => folder.remove())
  const all = [of('good', true), of('bad', true), of('wrong', false)]
  const place = { folder: folder.path, progress: silent }
  const { runs, failed } = await measureSet(['good --rounds 3', 'bad', 'wrong'], all, place)
  t.deepEqual(begun, ['good 3', 'bad undefined', 'wrong undefined'])
  t.deepEqual(
    runs.map(({ scenario, settings, right }) => ({ scenario, settings, right })),
    [
      { scenario: 'good', settings: { rounds: 3 }, right: true },
      { scenario: 'wrong', settings: {}, right: false },
    ],
  )
  t.is(failed, 1)
})

test('the command of a run takes each setting as one word', (t) => {
  const settings = { sizes: '64,1024', transport: `unix'; rm -rf ~` }
  t.is(
    commandText({ scenario: 'latency', settings }),
    `npm run perf -- latency --sizes 64,1024 --transport 'unix'\\''; rm -rf ~'`,
  )
})
