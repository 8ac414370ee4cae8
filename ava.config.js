import os from 'node:os'
import process from 'node:process'

const { SYMPHONY_TEST_FIXTURE: fixture, SYMPHONY_UNDER_WINE: underWine } = process.env

/** A test waits for other processes half of its time: one file more than there are processors. Wine bears less. */
const concurrency = underWine === undefined ? Math.min(os.availableParallelism(), 4) + 1 : 2

export default {
  // A test of the watchdog runs a fixture as if it were a test file.
  files: [fixture === undefined ? 'dist/test/**/*.test.js' : `dist/test/fixtures/${fixture}.js`],
  require: ['./dist/test/setup/run-watchdog.js'],
  workerThreads: false,
  concurrency,
  // From the end of the alphabet: files with long tests (stdio, package, faults) are not left for the end of a run,
  // where nothing else keeps the processors busy. Those of api, which come last, are short.
  sortTestFiles: (one, other) => (one < other ? 1 : -1),
  timeout: '3m',
}
