/** Which packages a host that is bundled finds, as real processes, with others of the same names in its way. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import test from 'ava'
import { version } from '../../../engine/common/version.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000
const onPosix = process.platform === 'win32' ? test.skip : test

const dist = fileURLToPath(new URL('../../../', import.meta.url))
const root = dirname(dist)
const own = join(dist, 'engine', 'shard', 'installed-package.js')
const show = `import { searchedFrom } from ${JSON.stringify(own)}; console.log(JSON.stringify(searchedFrom()))`

function run(args: readonly string[], cwd: string): string {
  return execFileSync(process.execPath, args, { cwd, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })
}

test('an argument of a program that is given as text is no place to look in', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const argument = join(folder.path, 'argument.js')
    fs.writeFileSync(argument, '')
    for (const args of [[argument], ['nowhere']]) {
      const found: unknown = JSON.parse(run(['--input-type=module', '-e', show, ...args], folder.path))
      t.deepEqual(found, [own], args.join())
    }
    const program = join(folder.path, 'program.mjs')
    fs.writeFileSync(program, show)
    t.deepEqual(JSON.parse(run([program], folder.path)), [own, fs.realpathSync(program)])
  } finally {
    await folder.remove()
  }
})

onPosix("a bundle starts its threads with the package's own Piscina, whatever the host has for itself", async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const write = (path: string, text: string): void => {
    fs.mkdirSync(dirname(join(folder.path, path)), { recursive: true })
    fs.writeFileSync(join(folder.path, path), text)
  }
  try {
    const modules = join(folder.path, 'node_modules')
    const installed = join(modules, 'symphony-transport')
    write(
      'node_modules/piscina/index.js',
      'exports.Piscina = class { constructor() { throw new Error("the host\'s") } }',
    )
    write('node_modules/symphony-transport/package.json', JSON.stringify({ name: 'symphony-transport', version }))
    fs.mkdirSync(join(installed, 'node_modules'))
    fs.symlinkSync(join(root, 'node_modules', 'piscina'), join(installed, 'node_modules', 'piscina'))
    fs.symlinkSync(join(root, 'dist'), join(installed, 'dist'))
    write(
      'host.mjs',
      `import { createEngine } from ${JSON.stringify(join(dist, 'api', 'index.js'))}
      const engine = await createEngine({ shards: 1 })
      console.log((await engine.close()).leaked)`,
    )
    const outfile = join(folder.path, 'out', 'host.mjs')
    const entryPoints = [join(folder.path, 'host.mjs')]
    await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
    t.is(run([outfile], folder.path), '0\n')
  } finally {
    await folder.remove()
  }
})
