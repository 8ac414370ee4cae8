/** What of a pool keeps a process alive and what does not, tested in separate processes. */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000

failOnWarnings()

let engine: Engine
let folder: TemporaryFolder
let endpoint: string

test.serial.before('a peer that answers', async () => {
  folder = await makeTemporaryFolder()
  engine = await createEngine({ shards: 1 })
  endpoint = folder.endpoint()
  await engine.transport(endpoint).listen((connection) => {
    connection.subscribe((frame) => void connection.send(frame))
  })
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close({ graceMs: 0 })).leaked, 0)
  await folder.remove()
})

async function run(
  t: ExecutionContext,
  way: string,
  to: string,
  lead?: (child: ChildProgram) => Promise<void>,
): Promise<readonly string[]> {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start('pool-end', [way, to])
  try {
    await lead?.(child)
    const { code, signal, lines, stderr } = await child.exit
    t.is(stderr, '')
    t.deepEqual([code, signal], [0, null])
    return lines
  } finally {
    child.kill('SIGKILL')
  }
}

test.serial('idle connections and their timers keep nothing alive', async (t) => {
  t.deepEqual(await run(t, 'idle', endpoint), ['used', 'empty'])
})

test.serial('a leased connection keeps the process alive until it is released', async (t) => {
  const lines = await run(t, 'leased', endpoint, async (child) => {
    await child.line('open')
    await child.proveAlive()
    child.tell('release')
    await child.line('released')
  })
  t.deepEqual(lines.slice(-2), ['released', 'empty'])
})

test.serial('a request for a connection keeps the process alive until it is settled', async (t) => {
  t.deepEqual(await run(t, 'waiting', folder.endpoint()), ['ERR_ACQUIRE_TIMEOUT', 'empty'])
})

test.serial('close() settles, even if nothing else keeps the process alive', async (t) => {
  t.deepEqual(await run(t, 'closing', endpoint), ['closed', 'empty'])
})
