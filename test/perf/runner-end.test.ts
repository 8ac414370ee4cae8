/** Measured programs end with their runner, however it ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { childrenOf, isRunning } from '../helpers/small-children.js'
import { byLength } from '../helpers/length.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'

const WATCHDOG_MS = 60_000
/** Of three contenders with two sides each. */
const PROGRAMS = 6
/** Of which the runner would not see the end. */
const ENDLESS = ['--count', '10000000', '--rounds', '10000']

const declare = process.platform === 'linux' ? test.serial : test.serial.skip

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Files that it has left in the system's temporary folder. */
  readonly left: readonly string[]
}

/**
 * Starts a runner that would never end, strikes once it has this many programs, and resolves when it and all of them
 * are gone: they have its stderr, which ends with the last of them.
 */
async function endOf(
  t: ExecutionContext,
  args: readonly string[],
  programs: number,
  strike: (runner: number, programs: readonly number[]) => void,
): Promise<Ended> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const program = fileURLToPath(new URL('../../perf/run.js', import.meta.url))
  const env = { ...process.env, TMPDIR: folder.path, NODE_OPTIONS: undefined }
  const runner = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const { pid = 0 } = runner
  let seen: readonly number[] = []
  try {
    const closed = once(runner, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    runner.stderr.resume()
    await until(() => (seen = childrenOf(pid)).length === programs || !isRunning(pid))
    t.is(seen.length, programs)
    strike(pid, seen)
    const [code, signal] = await closed
    await until(() => !seen.some(isRunning))
    return { code, signal, left: await folder.list() }
  } finally {
    runner.kill('SIGKILL')
    for (const each of seen) if (isRunning(each)) process.kill(each, 'SIGKILL')
    await folder.remove()
  }
}

for (const programs of byLength({ short: [PROGRAMS], long: [1, PROGRAMS] })) {
  declare(`${String(programs)} programs end with a runner that is killed`, async (t) => {
    const { signal } = await endOf(t, ['latency', ...ENDLESS], programs, (runner) => {
      process.kill(runner, 'SIGKILL')
    })
    t.is(signal, 'SIGKILL')
  })
}

declare('a program that is still starting when its runner is killed ends too', async (t) => {
  await endOf(t, ['latency', ...ENDLESS], 1, (runner, [program = 0]) => {
    // No program listens in it yet.
    process.kill(program, 'SIGSTOP')
    process.kill(runner, 'SIGKILL')
    process.kill(program, 'SIGCONT')
  })
})

declare('a program whose other side hangs ends with its runner too', async (t) => {
  await endOf(t, ['throughput', ...ENDLESS], 2, (runner, [far = 0, near = 0]) => {
    process.kill(far, 'SIGSTOP')
    process.kill(runner, 'SIGKILL')
    void until(() => !isRunning(near)).then(() => process.kill(far, 'SIGCONT'))
  })
})

const signals = { SIGTERM: 143, SIGINT: 130 } as const

for (const signal of byLength({ short: ['SIGTERM'], long: ['SIGTERM', 'SIGINT'] } as const)) {
  declare(`a runner that ${signal} ends leaves no program and no folder`, async (t) => {
    const ended = await endOf(t, ['latency', ...ENDLESS], PROGRAMS, (runner) => {
      process.kill(runner, signal)
    })
    t.deepEqual(ended, { code: signals[signal], signal: null, left: [] })
  })
}

declare('a runner whose program dies fails, and leaves no other', async (t) => {
  const ended = await endOf(t, ['latency', ...ENDLESS], PROGRAMS, (_runner, programs) => {
    process.kill(programs.at(-1) ?? 0, 'SIGKILL')
  })
  t.deepEqual(ended, { code: 1, signal: null, left: [] })
})

declare('a runner whose server dies under its clients fails, and leaves no other', async (t) => {
  const ended = await endOf(
    t,
    ['fan-in', '--transport', 'unix', '--connections', '5', ...ENDLESS],
    4,
    (_runner, [server = 0]) => {
      process.kill(server, 'SIGKILL')
    },
  )
  t.deepEqual(ended, { code: 1, signal: null, left: [] })
})

declare('holders of connections end with a runner that is killed', async (t) => {
  await endOf(t, ['memory', '--transport', 'unix', '--connections', '10', '--watch', '3600'], 4, (runner) => {
    process.kill(runner, 'SIGKILL')
  })
})

declare('a fault campaign ends with a runner that is killed, its peers too', async (t) => {
  await endOf(t, ['chaos', '--faults', '100000'], 1, (runner) => {
    process.kill(runner, 'SIGKILL')
  })
})
