/** What a reconnecting connection keeps alive. */
import test, { type ExecutionContext } from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 30_000

async function run(t: ExecutionContext, what: string): Promise<readonly string[]> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const child = ChildProgram.start('backing-off', [folder.endpoint(), what], {})
  try {
    const { code, stderr, lines } = await child.exit
    t.is(code, 0, stderr)
    t.is(stderr, '')
    return lines
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
}

test.serial('a reconnecting connection that backs off keeps the process alive until it is closed', async (t) => {
  t.deepEqual(await run(t, 'referenced'), ['tried', 'closed', 'empty'])
})

test.serial("an unref'd one that backs off keeps nothing alive", async (t) => {
  t.deepEqual(await run(t, 'unreferenced'), ['waiting', 'empty'])
})
