/** Hosts that end in different ways leave no children. */
import fs from 'node:fs'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { ChildProgram, type ChildExit } from '../helpers/child-program.js'
import { isRunning } from '../helpers/small-children.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000

failOnWarnings()

/** Runs the host until it is over and its child is gone; what it ended with. */
async function endOf(
  t: ExecutionContext,
  how: string,
  lead: (host: ChildProgram) => void = () => undefined,
): Promise<ChildExit> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const host = ChildProgram.start('child-host', [how], { env: { TMPDIR: folder.path } })
  let pid = 0
  try {
    pid = Number(await host.next())
    if (!Number.isSafeInteger(pid) || pid < 2) throw new Error('the host named no child')
    lead(host)
    const exit = await host.exit
    await until(() => !isRunning(pid))
    t.deepEqual(fs.readdirSync(folder.path), [])
    return exit
  } finally {
    host.kill('SIGKILL')
    if (pid > 1 && isRunning(pid)) process.kill(pid, 'SIGKILL')
    await folder.remove()
  }
}

const declare = process.platform === 'linux' ? test.serial : test.serial.skip

declare("an unref'd connection to a child does not keep the host alive, and the child goes with it", async (t) => {
  const { code, lines, stderr } = await endOf(t, 'returns')
  t.deepEqual([code, lines.slice(1), stderr], [0, ['empty'], ''])
})

declare('a child goes with a host that exits', async (t) => {
  const { code, stderr } = await endOf(t, 'exits')
  t.deepEqual([code, stderr], [0, ''])
})

declare('a child goes with a host that throws', async (t) => {
  const { code, stderr } = await endOf(t, 'throws')
  t.is(code, 1)
  t.regex(stderr, /the host is broken/)
})

declare('a child that ends with its stdin goes with a host that is killed', async (t) => {
  const { signal } = await endOf(t, 'waits', (host) => {
    host.kill('SIGKILL')
  })
  t.is(signal, 'SIGKILL')
})

declare("inherited stderr is the host's", async (t) => {
  const { code, lines, stderr } = await endOf(t, 'inherits')
  t.deepEqual([code, lines.slice(1), stderr], [0, ['empty'], 'a word\n'])
})
