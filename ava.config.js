import os from 'node:os'
import process from 'node:process'

const { SYMPHONY_TEST_FIXTURE: fixture, SYMPHONY_UNDER_WINE: underWine } = process.env

/** Test files wait for other processes, and for a clock here and there: one more than there are processors keeps those busy. */
const concurrency = underWine === undefined ? Math.min(os.availableParallelism(), 4) + 1 : 2

export default {
  // A test of the watchdog runs a fixture as if it were a test file.
  files: [fixture === undefined ? 'dist/test/**/*.test.js' : `dist/test/fixtures/${fixture}.js`],
  require: ['./dist/test/setup/watchdog.js'],
  workerThreads: false,
  concurrency,
  timeout: '3m',
}
