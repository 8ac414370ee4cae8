/**
 * `npm run test:native-windows`, on Windows itself: the test files that `npm run test:windows` runs under Wine; with
 * `-- FILE...` only those. The self-check is `npm start`.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { builtFiles, windowsFiles } from './helpers/windows-files.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const avaCli = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.mjs')

function main(given: readonly string[]): number {
  if (process.platform !== 'win32') {
    process.stderr.write(`this runs on Windows, not on ${process.platform}. There: npm test.\n`)
    return 1
  }
  const files = builtFiles(given.length === 0 ? windowsFiles : given)
  const { status, error } = spawnSync(process.execPath, [avaCli, ...files], { cwd: root, stdio: 'inherit' })
  if (error !== undefined) throw error
  return status ?? 1
}

process.exitCode = main(process.argv.slice(2))
