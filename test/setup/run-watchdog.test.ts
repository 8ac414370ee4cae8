/** A test that hangs does not keep the run from ending: AVA, over a test file that does, in a separate process. */
import { spawn, type ChildProcess } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { childrenOf, isRunning } from '../helpers/small-children.js'
import { until } from '../helpers/turns.js'

const WATCHDOG_MS = 90_000
/** Longer than an engine takes to start on a busy machine. */
const BOUND_MS = 4_000
const NEVER_MS = 3_600_000
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** `strike`: what to do to AVA once it has reported a passed test. */
async function runHanging(
  t: ExecutionContext,
  place: 'test' | 'hook' | 'after' | 'nowhere',
  {
    watchdogMs = BOUND_MS,
    strike = (): void => undefined,
  }: { watchdogMs?: number; strike?: (run: ChildProcess) => void } = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  t.timeout(WATCHDOG_MS)
  const args = ['node_modules/ava/entrypoints/cli.mjs', '--timeout', '1h']
  const env = {
    ...process.env,
    NODE_OPTIONS: undefined,
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
    SYMPHONY_TEST_FIXTURE: 'hanging-tests',
    SYMPHONY_TEST_WATCHDOG_MS: String(watchdogMs),
    SYMPHONY_HANGS: place,
  }
  const run = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [run.stdout, run.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (text.includes('a test that is well')) strike(run)
    })
  }
  try {
    const code = await new Promise<number | null>((resolve) => run.once('close', resolve))
    return { code, output }
  } finally {
    run.kill('SIGKILL')
  }
}

test('a test that hangs ends the run, which fails and names the test and its file', async (t) => {
  const { code, output } = await runHanging(t, 'test')
  t.is(code, 1, output)
  t.regex(output, /watchdog: .*hanging-tests\.js, while running "a test that hangs"\./)
  t.regex(output, /what kept it: .*MessagePort/)
})

test('a hook that hangs ends the run', async (t) => {
  const { code, output } = await runHanging(t, 'hook')
  t.is(code, 1, output)
  t.regex(output, /watchdog: .*hanging-tests\.js, in a hook; the last test was none\./)
})

test('a process that something keeps alive after its tests ends the run', async (t) => {
  const { code, output } = await runHanging(t, 'after')
  t.is(code, 1, output)
  t.regex(output, /watchdog: .*hanging-tests\.js, after its tests were over\./)
})

test.serial('tests that end are left alone', async (t) => {
  const { code, output } = await runHanging(t, 'nowhere')
  t.is(code, 0, output)
  t.notRegex(output, /watchdog/)
})

const declare = process.platform === 'linux' ? test.serial : test.serial.skip

declare('when AVA is killed its test processes end', async (t) => {
  let processes: readonly number[] = []
  const strike = (run: ChildProcess): void => {
    processes = childrenOf(run.pid ?? 0)
    run.kill('SIGKILL')
  }
  try {
    await runHanging(t, 'test', { watchdogMs: NEVER_MS, strike })
    t.is(processes.length, 1)
    await until(() => !processes.some(isRunning))
  } finally {
    for (const pid of processes) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  }
})
