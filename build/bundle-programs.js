/** Runs after the compiler: what has to be one CommonJS file. `--sourcemap`: with maps, for coverage. */
import process from 'node:process'
import { build } from 'esbuild'
import { compiledEntries } from './package-entries.js'

const options = {
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  outExtension: { '.js': '.cjs' },
  sourcemap: process.argv.includes('--sourcemap'),
  sourcesContent: false,
  logOverride: { 'empty-import-meta': 'silent' },
  logLevel: 'warning',
}

// What threads and helpers of the tests start from: see docs/decisions/entry-discovery.md.
const programs = ['dist/workers/entry.js', 'dist/perf/chaos/faulty-worker.js', 'dist/perf/chaos/handler-peer.js']
await build({ ...options, entryPoints: programs, outdir: 'dist', outbase: 'dist' })

// For tools that cannot require an ES module: see docs/commonjs.md. Without whitespace they are a third smaller; names
// stay, and lines are short enough for what Node shows of an uncaught error. The programs above keep their comments, of
// which some are for the bundlers of hosts.
const api = Object.entries(compiledEntries('.js')).filter(([name]) => name !== 'worker')
await build({
  ...options,
  entryPoints: Object.fromEntries(api),
  outdir: 'dist/api/cjs',
  minifyWhitespace: true,
  lineLimit: 120,
})
