/** `npm run test:tools`: the tests with bundlers, test runners and runtimes, whose packages it installs if need be. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'

function run(command: string, args: readonly string[]): void {
  const env = { ...process.env, SYMPHONY_TEST_TOOLS: 'required' }
  // npm and npx are scripts on Windows, which a shell alone can start.
  const { status } = spawnSync(command, args, { stdio: 'inherit', env, shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}

const isThere = process.env['SYMPHONY_TOOLS_FOLDER'] !== undefined || existsSync('test/tools/node_modules')
if (!isThere) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', 'test/tools'])
run('npx', ['ava', 'dist/test/tools/*.test.js', ...process.argv.slice(2)])
