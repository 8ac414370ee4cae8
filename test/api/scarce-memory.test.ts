/** Connections without memory for their rings: each is refused alone, and everything else goes on. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { receiveMany } from '../helpers/frames.js'
import { exhaustMemory, withoutMemory } from '../helpers/scarce-memory.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
/** A slab has room for one ring of this size. */
const RING_BYTES = 8_388_608
const SLAB_BYTES = 1_048_576

failOnWarnings()

async function withEngine(
  t: ExecutionContext,
  body: (engine: Engine, endpoint: string) => Promise<void>,
): Promise<void> {
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1, initialRingBytes: RING_BYTES })
  try {
    await body(engine, folder.endpoint())
  } finally {
    const { leaked } = await engine.close({ graceMs: 0 })
    await folder.remove()
    t.is(leaked, 0)
  }
}

test.serial('connect() without memory for the rings rejects with ERR_OUT_OF_MEMORY', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withEngine(t, async (engine, endpoint) => {
    const transport = engine.transport(endpoint)
    const listener = await transport.listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame))
    })
    const before = await transport.connect()
    const error = await rejects(
      t,
      withoutMemory(SLAB_BYTES, () => transport.connect()),
      'ERR_OUT_OF_MEMORY',
    )
    t.is(error.endpoint, endpoint)
    t.is(engine.stats().pendingConnects, 0)
    const child = engine.transport({ kind: 'stdio', command: process.execPath, args: ['-e', ''] })
    await rejects(
      t,
      withoutMemory(SLAB_BYTES, () => child.connect()),
      'ERR_OUT_OF_MEMORY',
    )
    const after = await transport.connect()
    for (const connection of [before, after]) {
      connection.send('still here')
      t.deepEqual((await receiveMany(connection, 1)).map(String), ['still here'])
    }
    t.is(listener.stats().refused, 0)
  })
})

test.serial('an accepted connection without memory for its rings is cut, and the next one is served', async (t) => {
  t.timeout(WATCHDOG_MS)
  await withEngine(t, async (engine, endpoint) => {
    const transport = engine.transport(endpoint)
    const listener = await transport.listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame))
    })
    const restore = exhaustMemory(SLAB_BYTES)
    const lucky = net.connect(endpoint.replace('unix:', ''))
    try {
      // It gets the lane that the listener has in stock.
      await until(() => listener.stats().open === 1)
      const socket = net.connect(endpoint.replace('unix:', ''))
      await new Promise((resolve) => socket.once('close', resolve).resume())
    } finally {
      restore()
    }
    t.like(listener.stats(), { refused: 1, accepted: 1, open: 1, queued: 0 })
    lucky.destroy()
    const connection = await transport.connect()
    connection.send('served')
    t.is(String(await connection.receive()), 'served')
  })
})
