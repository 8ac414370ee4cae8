/** A host whose functions all fail: the process warns of each, and goes on. */
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 30_000

test.serial('no failing function of the host ends the process, and each has a warning', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const host = ChildProgram.start('faulty-handlers', [folder.endpoint()])
  try {
    const { code, signal, lines, stderr } = await host.exit
    t.deepEqual([code, signal, lines], [0, null, ['leaked 0']], stderr)
    for (const what of [
      'listener',
      'listener, later',
      'subscriber',
      'subscriber, later',
      'onLoss',
      'onStateChange',
      'onStateChange, later',
      'stderr',
    ]) {
      const [line, ...others] = stderr
        .split('\n')
        .filter(
          (text) => text.includes('[SYMPHONY_HANDLER_FAILED] TransportWarning') && text.includes(`Error: ${what}`),
        )
        .filter((text) => text.replace(/ \(\d+ more failures.*$/, '').endsWith(`Error: ${what}`))
      t.truthy(line, `${what}\n${stderr}`)
      t.deepEqual(others, [], what)
    }
    // The stack of what was thrown, not only of the warning.
    t.regex(stderr, /Error: listener\n\s+at fail \(.*faulty-handlers/)
  } finally {
    host.kill('SIGKILL')
    await folder.remove()
  }
})
