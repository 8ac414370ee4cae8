/** Runs of whole suites are bounded in time, and leave no process. */
import fs from 'node:fs'
import process from 'node:process'
import test from 'ava'
import { runBounded } from '../helpers/bounded-run.js'
import { ChildProgram } from '../helpers/child-program.js'
import { isRunning } from '../helpers/small-children.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'

const WATCHDOG_MS = 20_000
const LIMIT_MS = 3_600_000
const FOREVER = ['-c', 'sleep 1000 & echo $!; wait']

const declare = process.platform === 'linux' ? test : test.skip

async function withLog(body: (log: string) => Promise<void>): Promise<void> {
  const folder = await makeTemporaryFolder()
  try {
    await body(`${folder.path}/output.txt`)
  } finally {
    await folder.remove()
  }
}

declare('a run that ends has its code and all of its output', async (t) => {
  await withLog(async (log) => {
    const script = "printf 'one\\r\\n'; echo two >&2; exit 3"
    const ended = await runBounded('/bin/sh', ['-c', script], { cwd: '/', limitMs: LIMIT_MS, log })
    t.deepEqual(ended, { code: 3, output: 'one\ntwo\n' })
  })
})

declare('a command that cannot be started is an error', async (t) => {
  await withLog(async (log) => {
    const running = runBounded('/no/such/command', [], { cwd: '/', limitMs: LIMIT_MS, log })
    await t.throwsAsync(running, { code: 'ENOENT' })
  })
})

declare('a run that takes too long is ended with all that it has started', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withLog(async (log) => {
    const clock = new ManualClock((ms) => ms === LIMIT_MS)
    const running = runBounded('/bin/sh', FOREVER, { cwd: '/', limitMs: LIMIT_MS, log, clock })
    const said = (): string => fs.readFileSync(log, 'utf8')
    await until(() => said().endsWith('\n'))
    const pid = Number(said())
    t.true(isRunning(pid))
    clock.advance(LIMIT_MS)
    const { code, output } = await running
    t.is(code, null)
    t.regex(output, /took longer than 3600000 ms and was ended\.\n$/)
    await until(() => !isRunning(pid))
  })
})

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  declare(`a runner that ${signal} ends also ends what it runs`, async (t) => {
    t.timeout(WATCHDOG_MS)
    await withLog(async (log) => {
      const runner = ChildProgram.start('bounded-host', [log])
      let pid = 0
      try {
        pid = Number(await runner.next())
        runner.kill(signal)
        await runner.exit
        await until(() => !isRunning(pid))
        t.pass()
      } finally {
        runner.kill('SIGKILL')
        if (pid > 1 && isRunning(pid)) process.kill(pid, 'SIGKILL')
      }
    })
  })
}
