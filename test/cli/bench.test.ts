/** `symphony-transport bench`: another program takes over, and its end is this one's. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { runToEnd } from '../package/project.js'
import { childrenOf, isRunning } from '../helpers/small-children.js'
import { until } from '../helpers/turns.js'

const WATCHDOG_MS = 60_000
const onLinux = process.platform === 'linux' ? test : test.skip
const program = fileURLToPath(new URL('../../api/cli/main.js', import.meta.url))

test('its help and its messages speak of the command that was typed', async (t) => {
  t.timeout(WATCHDOG_MS)
  const [help, wrong, unknown] = await Promise.all(
    [
      ['bench', 'latency', '--help'],
      ['bench', 'latency', '--count', 'x'],
      ['bench', '--fast'],
    ].map((words) => runToEnd(process.execPath, [program, ...words], process.cwd(), WATCHDOG_MS)),
  )
  t.is(help?.end, 0)
  t.regex(help?.stdout ?? '', /^symphony-transport bench latency \[options\]\n\n/)
  t.is(wrong?.end, 2)
  t.regex(
    wrong?.stderr ?? '',
    /^symphony-transport bench: --count x: .* See symphony-transport bench latency --help\.\n$/,
  )
  t.is(unknown?.end, 2)
  t.regex(unknown?.stderr ?? '', /^symphony-transport bench: bench takes no --fast; it takes --quick, --json\.\n$/)
})

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGKILL', null],
] as const) {
  onLinux(`what it has started ends with it by ${signal}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const words = ['bench', 'latency', '--count', '10000000', '--rounds', '1000']
    const cli = spawn(process.execPath, [program, ...words], { stdio: 'ignore' })
    const { pid = 0 } = cli
    let started: readonly number[] = []
    try {
      // The runner has programs of its own.
      await until(() => (started = childrenOf(pid)).flatMap(childrenOf).length > 0)
      started = [...started, ...started.flatMap(childrenOf)]
      const exit = once(cli, 'exit')
      cli.kill(signal)
      t.is((await exit)[0], code)
      await until(() => !started.some(isRunning))
      t.pass()
    } finally {
      cli.kill('SIGKILL')
      for (const each of started) if (isRunning(each)) process.kill(each, 'SIGKILL')
    }
  })
}
