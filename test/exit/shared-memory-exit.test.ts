/** What keeps a process alive whose connections go through shared memory, tested in separate processes. */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { nativeMemories } from '../helpers/native-memories.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
const onShared = nativeMemories.length === 0 ? test.serial.skip : test.serial

failOnWarnings()

let engine: Engine
let folder: TemporaryFolder
/** Of a peer that answers each frame, and ends its side when it is asked to leave. */
let endpoint: string
/** What carried the frames of its connections. */
const memories = new Set<string | undefined>()

test.serial.before('a peer that answers', async () => {
  folder = await makeTemporaryFolder()
  engine = await createEngine({ shards: 1 })
  endpoint = `shm:${folder.socketPath()}`
  if (process.platform === 'win32') return
  await engine.transport(endpoint).listen((connection) => {
    memories.add(connection.info.memory)
    connection.subscribe((frame) => {
      if (String(frame) === 'leave') void connection.end()
      else connection.send(frame)
    })
  })
})

test.serial.after.always('everything was released, and memory was shared', async (t) => {
  if (nativeMemories.length > 0) t.deepEqual([...memories], ['shared'])
  await until(() => engine.stats().connections === 0)
  t.is((await engine.close({ graceMs: 0 })).leaked, 0)
  await folder.remove()
})

async function run(
  t: ExecutionContext,
  fixture: string,
  args: readonly string[],
  lead?: (child: ChildProgram) => Promise<void>,
): Promise<readonly string[]> {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start(fixture, args)
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

async function holdsUntilReleased(child: ChildProgram): Promise<void> {
  await child.line('open')
  await child.proveAlive()
  child.tell('release')
  await child.line('released')
}

for (const [way, title] of [
  ['unref', "it is unref'd"],
  ['close', 'it is closed'],
  ['destroy', 'it is destroyed'],
  ['peer', 'its peer ends it'],
] as const) {
  onShared(`an open connection keeps the process alive until ${title}`, async (t) => {
    const lines = await run(t, 'referenced-connection', [endpoint, way], holdsUntilReleased)
    t.deepEqual(lines.slice(-2), ['released', 'empty'])
  })
}

onShared("an unref'd connection keeps nothing alive", async (t) => {
  t.deepEqual(await run(t, 'unreferenced-connection', [endpoint]), ['open', 'empty'])
})

onShared("an unref'd connection works as long as something else keeps the process alive", async (t) => {
  t.deepEqual(await run(t, 'unreferenced-traffic', [endpoint]), ['received', 'subscribed', 'empty'])
})

onShared('an engine that was closed in the middle of its work lets the process end', async (t) => {
  const own = `shm:${folder.socketPath()}`
  t.deepEqual(await run(t, 'closed-engine', [own, '2']), ['hello', 'leaked 0', 'empty'])
})

onShared('a quiet engine has no timer and no immediate armed', async (t) => {
  const own = `shm:${folder.socketPath()}`
  t.deepEqual(await run(t, 'quiet-engine', [own, 'adaptive']), ['echoed', 'quiet', 'empty'])
})

onShared('idle connections of a pool keep nothing alive', async (t) => {
  t.deepEqual(await run(t, 'pool-end', ['idle', endpoint]), ['used', 'empty'])
})

onShared('a leased connection keeps the process alive until it is released', async (t) => {
  const lines = await run(t, 'pool-end', ['leased', endpoint], holdsUntilReleased)
  t.deepEqual(lines.slice(-2), ['released', 'empty'])
})
