/** The package as a host gets it: packed, installed into a separate project, imported, bundled, run by a loader. */
import { existsSync } from 'node:fs'
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { build, stop, type BuildOptions } from 'esbuild'
import { byLength } from '../helpers/length.js'
import { randomName } from '../helpers/temporary-folder.js'
import { handlerHost, handlerModule, servedLines, typedHandlerModule } from './handler-hosts.js'
import { cjsHost, esmHost, happyLines, nativeMemoryHost, typedHost, workerModule } from './hosts.js'
import { installPackage, root, runToEnd, type Ended, type Project } from './project.js'

/** npm may have to fetch what it installs. */
const INSTALL_WATCHDOG_MS = 180_000
const WATCHDOG_MS = 100_000
/** What runs in a child ends before its test does, so that the test can show what it said. */
const CHILD_WATCHDOG_MS = 90_000
const NAME = 'symphony-transport'
/** With what it depends on, and without what is optional. */
const MAX_INSTALLED_MB = 8

const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const tsx = fileURLToPath(import.meta.resolve('tsx/cli'))

let installed: Project | undefined

test.before('the package is packed and installed', async (t) => {
  t.timeout(INSTALL_WATCHDOG_MS)
  installed = await installPackage(INSTALL_WATCHDOG_MS)
})

test.after.always('the project is removed', async () => {
  await stop()
  await installed?.remove()
})

function theProject(): Project {
  if (installed === undefined) throw new Error('the package is not installed')
  return installed
}

function node(args: readonly string[]): Promise<Ended> {
  return runToEnd(process.execPath, args, theProject().path, CHILD_WATCHDOG_MS)
}

function nativeMemoryIn(project: string): string {
  return join(project, 'node_modules', NAME, 'dist', 'engine', 'native', 'find-native-memory.js')
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** What stands in for koffi, or what to do about it. */
const withoutKoffi = isBuiltin('node:ffi') ? /^node:ffi\n$/ : /^koffi is not there: install it .*\n$/
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

interface Host {
  /** What node is started with. */
  readonly command: readonly string[]
  readonly workerEntry?: string
}

/** Frames make their round trips, everything is released, and the process ends by itself with nothing on stderr. */
async function works(t: ExecutionContext, host: Host, endpoint: string, shards: number): Promise<void> {
  const workerEntry = host.workerEntry === undefined ? [] : [host.workerEntry]
  const ended = await node([...host.command, endpoint, String(shards), ...workerEntry])
  const stdout = happyLines(shards).map((line) => `${line}\n`)
  t.deepEqual(ended, { end: 0, stdout: stdout.join(''), stderr: '' }, `${endpoint}, ${String(shards)}`)
}

onLinux('the command line is there by its name, and needs nothing that is optional', async (t) => {
  t.timeout(WATCHDOG_MS)
  const program = join(theProject().path, 'node_modules', '.bin', NAME)
  for (const words of [['--version'], ['doctor', '--json'], ['bench', '--help'], ['tune', '--help']]) {
    const { end, stdout, stderr } = await runToEnd(program, words, theProject().path, CHILD_WATCHDOG_MS)
    t.deepEqual([end, stderr], [0, ''], words.join(' '))
    t.not(stdout, '', words.join(' '))
  }
})

type Place = readonly [endpoint: () => string, shards: number]

const local: Place = [() => `local:${randomName()}`, 2]
const unix: Place = [() => `unix:${theProject().socketPath()}`, 1]
const memory: Place = [() => `memory:${randomName()}`, 2]

/** Over a real socket with one shard and with two. */
const everywhere = byLength({ short: [local], long: [local, unix] })
/** What bundles do as well: threads that share a listener need no program beside the bundle. */
const bundled = byLength({ short: [local], long: [local, unix, memory] })

async function worksAt(t: ExecutionContext, host: Host, places: readonly Place[]): Promise<void> {
  for (const [endpoint, shards] of places) await works(t, host, endpoint(), shards)
}

function worksEverywhere(t: ExecutionContext, host: Host): Promise<void> {
  return worksAt(t, host, everywhere)
}

function worksBundled(t: ExecutionContext, host: Host): Promise<void> {
  return worksAt(t, host, bundled)
}

/** Bundles programs of the project; what esbuild warns about, other than the one thing that we expect, is thrown. */
async function bundle(options: BuildOptions): Promise<void> {
  const { warnings } = await build({
    absWorkingDir: theProject().path,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    ...options,
  })
  const unexpected = warnings.filter(({ id }) => id !== 'empty-import-meta')
  if (unexpected.length > 0) throw new Error(JSON.stringify(unexpected))
}

test.serial('only the compiled package is packed', (t) => {
  const { files } = theProject()
  const known = [
    /^dist\/(api|engine|workers)\/.*\.c?js$/,
    /^dist\/types\/.*\.d\.c?ts$/,
    /^dist\/perf\/(?!chaos\/|engines\/).*\.js$/,
    /^docs\//,
    /^examples\//,
  ]
  const rest = files.filter((file) => !known.some((pattern) => pattern.test(file)))
  t.deepEqual(rest.sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'])
  for (const file of [
    'dist/api/index.js',
    'dist/types/index.d.ts',
    'dist/workers/entry.js',
    'dist/workers/entry.cjs',
  ]) {
    t.true(files.includes(file), file)
  }
})

test.serial('the benchmarks run from the package, and name themselves as they were started', async (t) => {
  t.timeout(WATCHDOG_MS)
  const project = theProject()
  const cli = join(project.path, 'node_modules', NAME, 'dist', 'api', 'cli', 'main.js')
  const help = await node([cli, 'bench', '--help'])
  t.deepEqual([help.end, help.stderr], [0, ''])
  t.regex(help.stdout, /^symphony-transport bench SCENARIO \[options\]\n/)
  t.regex(help.stdout, /The repository has more: churn, compare, chaos, report, diff\./)
  t.notRegex(help.stdout, /npm run/)
  const tiny = await node([cli, 'bench', 'latency', '--rounds', '1', '--count', '50'])
  t.deepEqual([tiny.end, tiny.stderr], [0, ''])
  t.regex(tiny.stdout, /^engine to engine .* 0 of 50$/m)
  const lacking = await node([cli, 'bench', 'bridge'])
  t.deepEqual([lacking.end, lacking.stdout], [2, ''])
  t.regex(lacking.stderr, /^symphony-transport bench: .*is not installed.*\n$/)
  t.like(await node([cli, 'bench', 'chaos']), {
    end: 2,
    stdout: '',
    stderr:
      'symphony-transport bench: chaos needs the repository of symphony-transport. See symphony-transport bench --help.\n',
  })
})

test.serial('an ES module imports the package', async (t) => {
  t.timeout(WATCHDOG_MS)
  await worksEverywhere(t, { command: [await theProject().write('import/host.mjs', esmHost(NAME))] })
})

test.serial('a CommonJS module requires the package', async (t) => {
  t.timeout(WATCHDOG_MS)
  await worksEverywhere(t, { command: [await theProject().write('require/host.cjs', cjsHost(NAME))] })
})

onLinux('a host works without optional dependencies, and looks in vain for native memory', async (t) => {
  t.timeout(INSTALL_WATCHDOG_MS)
  const project = await theProject().installWithoutOptional('without optional')
  t.false(existsSync(join(project, 'node_modules', 'koffi')))
  const installedMb = (await bytesIn(join(project, 'node_modules'))) / 2 ** 20
  t.true(installedMb < MAX_INSTALLED_MB, `${installedMb.toFixed(1)} MB`)
  const host = join(project, 'host.mjs')
  await writeFile(host, esmHost(NAME))
  for (const kind of ['unix', 'shm']) await works(t, { command: [host] }, `${kind}:${theProject().socketPath()}`, 1)
  const program = join(project, 'native.mjs')
  await writeFile(program, nativeMemoryHost(nativeMemoryIn(project)))
  const { end, stdout, stderr } = await node([program])
  t.deepEqual([end, stderr], [0, ''])
  t.regex(stdout, withoutKoffi)
})

// One program of both kinds: the types that they share take the time. The long length checks those types, too.
test.serial('TypeScript of both kinds compiles against the packed types', async (t) => {
  t.timeout(WATCHDOG_MS)
  const programs = []
  for (const name of ['host.mts', 'host.cts']) {
    programs.push(await theProject().write(`types/${name}`, typedHost(NAME)))
  }
  programs.push(await theProject().write('types/serve.mts', typedHandlerModule(NAME)))
  const config = {
    compilerOptions: {
      strict: true,
      noEmit: true,
      module: 'NodeNext',
      target: 'ES2022',
      skipLibCheck: byLength({ short: true, long: false }),
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
    },
    files: programs,
  }
  const path = await theProject().write('types/tsconfig.json', JSON.stringify(config))
  t.deepEqual(await node([tsc, '--project', path]), { end: 0, stdout: '', stderr: '' })
})

// Under a name that Piscina has a module of, too, beside the one that would look for it.
test.serial('a relative workerEntry is a path from the working directory', async (t) => {
  t.timeout(WATCHDOG_MS)
  const host = await theProject().write('relative/host.mjs', esmHost(NAME))
  await theProject().write('index.js', `module.exports = require('${NAME}/worker')\n`)
  await works(t, { command: [host], workerEntry: './index.js' }, `memory:${randomName()}`, 1)
})

for (const format of ['esm', 'cjs'] as const) {
  const extension = format === 'esm' ? '.mjs' : '.cjs'

  test.serial(`bundled as ${format} with the package external, the worker is found by itself`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    const entry = await project.write(`external-${format}/host.mjs`, esmHost(NAME))
    const outfile = join(project.path, `external-${format}`, `bundle${extension}`)
    await bundle({ entryPoints: [entry], format, packages: 'external', outfile })
    await worksBundled(t, { command: [outfile] })
  })

  test.serial(`bundled as ${format} with the worker as an entry of its own`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    const folder = `bundled-${format}`
    const entryPoints = {
      host: await project.write(`${folder}/host.mjs`, esmHost(NAME)),
      shard: await project.write(`${folder}/worker.mjs`, workerModule),
    }
    const outdir = join(project.path, folder, 'out')
    const outExtension = { '.js': extension }
    await bundle({ entryPoints, format, outdir, outExtension })
    const host = join(outdir, `host${extension}`)
    const workerEntry = join(outdir, `shard${extension}`)
    await worksBundled(t, { command: [host], workerEntry })
    const asUrl = pathToFileURL(workerEntry).href
    await works(t, { command: [host], workerEntry: asUrl }, `memory:${randomName()}`, 1)
  })

  test.serial(`bundled as ${format} and run where no package but Piscina is`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    const entryPoints = {
      host: await project.write(`whole-${format}/host.mjs`, esmHost(NAME)),
      shard: await project.write(`whole-${format}/worker.mjs`, workerModule),
    }
    const outdir = project.outside(`whole ${format} elsewhere`)
    await bundle({ entryPoints, format, outdir, outExtension: { '.js': extension } })
    const piscina = join('node_modules', 'piscina')
    await cp(join(project.path, piscina), join(outdir, piscina), { recursive: true })
    const host = join(outdir, `host${extension}`)
    await worksBundled(t, { command: [host], workerEntry: join(outdir, `shard${extension}`) })
    const { stdout } = await node([host, `memory:${randomName()}`, '1'])
    t.regex(stdout, /^rejected ERR_SHARD_BOOT: .*is not installed near .*set the workerEntry option.*\n$/)
    await rm(join(outdir, piscina), { recursive: true })
    const without = await node([host, `memory:${randomName()}`, '1', join(outdir, `shard${extension}`)])
    t.regex(without.stdout, /^rejected ERR_SHARD_BOOT: piscina, .*was not found near .*Install .*\n$/)
  })

  // koffi is in no bundle, so that it may be missing, and since what it consists of cannot be bundled.
  onLinux(`bundled as ${format}, native memory comes from a koffi beside the bundle if there is one`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    const entry = await project.write(`native-${format}/host.mjs`, nativeMemoryHost(nativeMemoryIn(project.path)))
    const inside = join(project.path, `native-${format}`, `bundle${extension}`)
    const outside = project.outside(`native-${format}${extension}`)
    for (const outfile of [inside, outside]) await bundle({ entryPoints: [entry], format, outfile })
    t.deepEqual(await node([inside]), { end: 0, stdout: 'koffi\n', stderr: '' })
    const { end, stdout, stderr } = await node([outside])
    t.deepEqual([end, stderr], [0, ''])
    t.regex(stdout, withoutKoffi)
  })

  test.serial(`bundled as ${format} with nothing set, the installed package is found`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    const folder = `found-${format}`
    const entry = await project.write(`${folder}/host.mjs`, esmHost(NAME))
    const outfile = join(project.path, folder, 'out', `host${extension}`)
    await bundle({ entryPoints: [entry], format, outfile })
    await worksBundled(t, { command: [outfile] })
    // What is there is of another version than what was bundled.
    const code = await readFile(outfile, 'utf8')
    const older = await project.write(
      `${folder}/out/older${extension}`,
      code.replace(/version = "[^"]*"/, 'version = "0.0.1"'),
    )
    const { stdout } = await node([older, `memory:${randomName()}`, '1'])
    t.regex(stdout, /^rejected ERR_SHARD_BOOT: .*the bundle has version 0\.0\.1, and .* version .*\n$/)
  })
}

for (const [kind, name] of [
  ['an ES module', 'host.mts'],
  // As .ts in a project without a type; a .cts that requires any ES module of several files fails on Node 20.
  ['CommonJS', 'host.ts'],
] as const) {
  test.serial(`tsx runs a TypeScript host of the package that is ${kind}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const program = await theProject().write(`loader/${name}`, typedHost(NAME))
    await worksEverywhere(t, { command: [tsx, program] })
  })
}

test.serial("tsx runs a host of the repository's own sources, whose worker is TypeScript too", async (t) => {
  t.timeout(WATCHDOG_MS)
  const sources = pathToFileURL(join(root, 'api', 'index.ts')).href
  const program = await theProject().write('sources/host.mts', esmHost(sources))
  await worksBundled(t, { command: [tsx, program] })
})

/** A handler module serves in the shards, and what the engine throws there is an error of the package's. */
async function serves(t: ExecutionContext, command: readonly string[], workerEntry?: string): Promise<void> {
  const entry = workerEntry === undefined ? [] : [workerEntry]
  const ended = await node([...command, `local:${randomName()}`, ...entry])
  t.deepEqual(ended, { end: 0, stdout: servedLines, stderr: '' })
}

for (const [format, extension, kind] of [
  ['esm', '.mjs', 'an ES module'],
  ['cjs', '.cjs', 'CommonJS'],
] as const) {
  test.serial(`a handler module that is ${kind} serves in the shards`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    await project.write(`served-${format}/serve${extension}`, handlerModule(NAME, format))
    const host = handlerHost(NAME, `serve${extension}`, format)
    await serves(t, [await project.write(`served-${format}/host${extension}`, host)])
  })

  test.serial(`a handler module bundled as ${format} is an entry of its own, beside host and worker`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    const folder = `served-bundled-${format}`
    const source = format === 'esm' ? '.mjs' : '.cjs'
    const entryPoints = {
      host: await project.write(`${folder}/host${source}`, handlerHost(NAME, `serve${extension}`, format)),
      serve: await project.write(`${folder}/serve.mjs`, handlerModule(NAME, 'esm')),
      shard: await project.write(`${folder}/worker.mjs`, workerModule),
    }
    const outdir = join(project.path, folder, 'out')
    // The module brings a copy of the package, as the worker does: neither needs Piscina.
    await bundle({ entryPoints, format, outdir, outExtension: { '.js': extension } })
    await serves(t, [join(outdir, `host${extension}`)], join(outdir, `shard${extension}`))
  })
}

const stripsTypes = Boolean((process.features as { readonly typescript?: unknown }).typescript)

for (const [runner, command, declare] of [
  ['tsx', [tsx], test.serial],
  ['Node itself', [], stripsTypes ? test.serial : test.serial.skip],
] as const) {
  declare(`${runner} runs a handler module in TypeScript`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const project = theProject()
    await project.write('served-typed/serve.mts', typedHandlerModule(NAME))
    const host = await project.write('served-typed/host.mjs', handlerHost(NAME, 'serve.mts', 'esm'))
    await serves(t, [...command, host])
  })
}

// A bundler that looked for the host's module would fail, or leave another import() in its place.
test.serial('bundlers are told to leave the import of handler modules alone', async (t) => {
  const folder = join(theProject().path, 'node_modules', NAME, 'dist', 'workers')
  for (const file of ['entry.cjs', join('handlers', 'handler-modules.js')]) {
    const text = await readFile(join(folder, file), 'utf8')
    t.regex(text, /import\(\s*\/\* webpackIgnore: true \*\/\s*\/\* @vite-ignore \*\/\s*url\s*\)/, file)
  }
})
