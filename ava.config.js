import process from 'node:process'

// A test of the watchdog runs a fixture as if it were a test file.
const fixture = process.env.SYMPHONY_TEST_FIXTURE

export default {
  files: [fixture === undefined ? 'dist/test/**/*.test.js' : `dist/test/fixtures/${fixture}.js`],
  require: ['./dist/test/setup/watchdog.js'],
  workerThreads: false,
  concurrency: 2,
  timeout: '3m',
}
