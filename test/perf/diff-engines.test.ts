/** The engines that `diff` measures: how they are named, found and built, and that nothing of that is left behind. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { scenarios } from '../../perf/commands/registry.js'
import { buildCommit } from '../../perf/engines/built-commit.js'
import { SOCKETS } from '../../perf/harness/meeting-place.js'
import { parse as parseWords } from '../../perf/options/parse.js'
import { Unfit } from '../../api/cli/options/reader.js'
import { isRunning } from '../helpers/small-children.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'

const WATCHDOG_MS = 120_000
const root = fileURLToPath(new URL('../../..', import.meta.url))
const runner = fileURLToPath(new URL('../../perf/run.js', import.meta.url))

const onPosix = process.platform === 'win32' ? test.skip : test

const parse = (...words: readonly string[]) => parseWords(['diff', ...words], scenarios)

test('BASE is a commit, a version, an archive or a folder with a build', (t) => {
  const given = (...words: readonly string[]): unknown => {
    const parsed = parse(...words)
    return parsed.kind === 'run' ? parsed.given : parsed
  }
  const commit = { kind: 'commit', name: 'HEAD~1' }
  t.deepEqual(given('HEAD~1'), { base: commit })
  t.deepEqual(given('--rounds', '3', 'HEAD~1', '--head', 'main'), {
    base: commit,
    rounds: 3,
    head: { kind: 'commit', name: 'main' },
  })
  const spec = 'symphony-transport@0.1.0'
  t.deepEqual(given(spec), { base: { kind: 'package', name: spec, spec } })
  t.deepEqual(given(root), { base: { kind: 'folder', name: root, path: join(root).replace(/[\\/]$/, '') } })
})

const wrong: readonly (readonly [words: readonly string[], message: RegExp])[] = [
  [[], /: diff needs BASE\./],
  [['a', 'b'], /b is one word too many/],
  [['./no-such-folder'], /\.\/no-such-folder: expected a folder with dist/],
  [['none.tgz'], /none\.tgz: expected an archive/],
  [[''], /'': expected a commit, symphony-transport@VERSION, /],
  [['HEAD', '--head', './no-such-folder'], /--head \.\/no-such-folder: expected a folder/],
  [['--base', 'HEAD'], /diff takes no --base/],
  [['HEAD', '--scenarios', 'idle'], /--scenarios idle: expected a list/],
  [['HEAD', '--margin', '0'], /--margin 0: expected one number from 0\.1/],
  [['HEAD', '--clients', '3'], /diff takes no --clients; it takes --head, /],
]

for (const [words, message] of wrong) {
  test(`refused: npm run perf -- diff ${words.map((word) => word || "''").join(' ')}`, (t) => {
    const parsed = parse(...words)
    if (parsed.kind !== 'wrong') return t.fail(parsed.kind)
    t.regex(parsed.message, message)
    t.false(parsed.message.includes('\n'))
  })
}

interface Run {
  readonly code: unknown
  readonly stdout: string
  readonly stderr: string
  /** In the system's temporary folder. */
  readonly left: readonly string[]
}

async function run(t: ExecutionContext, ...words: readonly string[]): Promise<Run> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const env = { ...process.env, TMPDIR: folder.path, TEMP: folder.path, TMP: folder.path, NODE_OPTIONS: undefined }
    return await new Promise<Run>((resolve) => {
      execFile(process.execPath, [runner, 'diff', ...words], { env }, (error, stdout, stderr) => {
        resolve({ code: error?.code ?? 0, stdout, stderr, left: fs.readdirSync(folder.path) })
      })
    })
  } finally {
    await folder.remove()
  }
}

test('a commit that is not there is told in one line, and nothing is left', async (t) => {
  const { code, stdout, stderr, left } = await run(t, 'no-such-commit')
  t.deepEqual([code, stdout, left], [2, '', []])
  t.is(
    stderr.trimEnd(),
    'npm run perf: there is no commit no-such-commit here; a folder is named like ./no-such-commit.',
  )
})

/** An engine without shared memory, and otherwise this one. */
async function makeOlderEngine(folder: TemporaryFolder): Promise<string> {
  const api = join(folder.path, 'dist', 'api')
  fs.mkdirSync(api, { recursive: true })
  fs.writeFileSync(join(folder.path, 'package.json'), '{ "type": "module" }')
  const own = JSON.stringify(pathToFileURL(join(root, 'dist', 'api', 'index.js')).href)
  const text = `
import { createEngine as create } from ${own}
export async function createEngine(options) {
  const engine = await create(options)
  const transport = engine.transport.bind(engine)
  engine.transport = (endpoint, settings) => {
    if (String(endpoint).startsWith('shm:')) throw new Error('unknown kind of endpoint')
    return transport(endpoint, settings)
  }
  return engine
}
`
  await fs.promises.writeFile(join(api, 'index.js'), text)
  return folder.path
}

onPosix('a run judges what both engines can do, and says in one line what one cannot', async (t) => {
  const folder = await makeTemporaryFolder()
  try {
    const base = await makeOlderEngine(folder)
    const json = join(folder.path, 'figures.json')
    const few = ['--rounds', '1', '--count', '20', '--json', json]
    const { code, stdout, left } = await run(t, base, '--scenarios', 'latency', '--transport', 'unix,shm', ...few)
    t.deepEqual([code, left], [0, []], stdout)
    const lines = stdout.trimEnd().split('\n')
    t.deepEqual(lines.slice(0, 2), [`base: ${base}`, 'head: the working tree'])
    t.deepEqual(
      lines.filter((line) => line.startsWith('NOT')),
      ['NOT measured: latency over shm: base cannot: unknown kind of endpoint'],
    )
    t.regex(lines.at(-1) ?? '', /^Nothing is known to be slower by more than 5 %/)
    const { figures, right } = JSON.parse(await fs.promises.readFile(json, 'utf8')) as {
      right: boolean
      figures: { metric: string; contender: string; isBaseline: boolean; at: object; samples: number[] }[]
    }
    t.true(right)
    const medians = figures.filter(({ metric }) => metric === 'round trip, median')
    t.deepEqual(
      medians.map(({ contender, isBaseline, at, samples }) => [contender, isBaseline, at, samples.length]).sort(),
      [
        ['base', true, { bytes: 64, transport: 'unix' }, 1],
        ['head', false, { bytes: 64, transport: 'unix' }, 1],
        ['net', false, { bytes: 64, transport: 'unix' }, 1],
      ],
    )
  } finally {
    await folder.remove()
  }
})

test('an engine that cannot be measured at all fails the run', async (t) => {
  const folder = await makeTemporaryFolder()
  try {
    const api = join(folder.path, 'dist', 'api')
    fs.mkdirSync(api, { recursive: true })
    fs.writeFileSync(join(api, 'index.js'), 'module.exports = {}')
    const { code, stdout } = await run(t, folder.path, '--scenarios', 'latency', '--transport', SOCKETS)
    t.is(code, 1)
    t.regex(
      stdout,
      new RegExp(`^NOT measured: latency over ${SOCKETS}: base cannot: createEngine is not a function$`, 'm'),
    )
    t.regex(stdout, /^Nothing was measured\.$/m)
  } finally {
    await folder.remove()
  }
})

/** A repository whose build does what `build` says, and which ignores what is kept. */
function makeRepository(path: string, build: string): void {
  fs.mkdirSync(path)
  const git = (...args: readonly string[]): void => {
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args], {
      cwd: path,
      stdio: 'ignore',
    })
  }
  fs.writeFileSync(join(path, 'package.json'), JSON.stringify({ scripts: { build: 'node build.js' } }))
  fs.writeFileSync(join(path, 'package-lock.json'), '{}')
  fs.writeFileSync(join(path, 'build.js'), build)
  fs.writeFileSync(join(path, '.gitignore'), '/.engines/\n/node_modules\n')
  fs.mkdirSync(join(path, 'node_modules'))
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '--message', 'The first one')
}

const worktreesOf = (path: string): number =>
  execFileSync('git', ['worktree', 'list'], { cwd: path, encoding: 'utf8' }).trim().split('\n').length

const writesBuild = `
const fs = require('node:fs')
for (const part of ['api', 'engine', 'workers']) fs.mkdirSync('dist/' + part, { recursive: true })
fs.writeFileSync('dist/api/index.js', '')
`

onPosix('a commit is built once, and its worktree goes', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const repository = join(folder.path, 'repository')
  try {
    makeRepository(repository, writesBuild)
    const said: string[] = []
    const build = (place: string) => {
      const path = join(folder.path, place)
      fs.mkdirSync(path)
      return buildCommit(repository, 'HEAD', path, (line) => said.push(line))
    }
    const first = await build('one')
    t.regex(first.title, /^[0-9a-f]+ The first one$/)
    t.true(fs.existsSync(join(first.path, 'dist', 'api', 'index.js')))
    t.deepEqual(await build('two'), first)
    t.deepEqual(said, [`building ${first.title}`])
    t.is(worktreesOf(repository), 1)
    t.deepEqual(fs.readdirSync(join(repository, '.engines')).length, 1)
    t.deepEqual([fs.readdirSync(join(folder.path, 'one')), fs.readdirSync(join(folder.path, 'two'))], [[], []])
  } finally {
    await folder.remove()
  }
})

onPosix('a commit whose build fails is told in one line, and nothing is left', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const repository = join(folder.path, 'repository')
  try {
    makeRepository(repository, "console.error('x.ts(1,1): error TS1: no'); process.exitCode = 1")
    const error = await t.throwsAsync(() => buildCommit(repository, 'HEAD', folder.path, () => undefined), {
      instanceOf: Unfit,
    })
    t.regex(error.message, /^HEAD cannot be built: npm run --silent build failed: x\.ts\(1,1\): error TS1: no$/)
    t.is(worktreesOf(repository), 1)
    t.false(fs.existsSync(join(repository, '.engines')))
  } finally {
    await folder.remove()
  }
})

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('a run that is interrupted while it builds leaves no worktree, no folder and no program', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const repository = join(folder.path, 'repository')
  const told = join(folder.path, 'told')
  const inside = join(folder.path, 'runs')
  const moduleOf = (name: string): string => JSON.stringify(new URL(`../../perf/${name}.js`, import.meta.url).href)
  const program = `
import { buildCommit } from ${moduleOf('engines/built-commit')}
import { makeRunFolder } from ${moduleOf('harness/run-folder')}
await buildCommit(${JSON.stringify(repository)}, 'HEAD', makeRunFolder('run-'), () => undefined)
`
  try {
    fs.mkdirSync(inside)
    makeRepository(
      repository,
      `require('node:fs').writeFileSync(${JSON.stringify(told)}, String(process.pid)); setInterval(() => undefined, 1000)`,
    )
    const env = { ...process.env, TMPDIR: inside, NODE_OPTIONS: undefined }
    const args = ['--input-type=module', '--eval', program]
    const child = spawn(process.execPath, args, { env, stdio: 'ignore' })
    const ended = once(child, 'exit')
    await until(() => fs.existsSync(told) && fs.readFileSync(told, 'utf8') !== '')
    const builder = Number(fs.readFileSync(told, 'utf8'))
    t.true(isRunning(builder))
    t.is(worktreesOf(repository), 2)
    child.kill('SIGTERM')
    t.deepEqual(await ended, [143, null])
    await until(() => !isRunning(builder))
    t.is(worktreesOf(repository), 1)
    t.deepEqual(fs.readdirSync(inside), [])
    t.false(fs.existsSync(join(repository, '.engines')))
  } finally {
    await folder.remove()
  }
})
