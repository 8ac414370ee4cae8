/** Handler modules whose connections begin with a handshake, and go through memory that both processes share. */
import net from 'node:net'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { startEngine } from '../../api/engine.js'
import {
  createEngine,
  type Connection,
  type Engine,
  type EngineOptions,
  type TransportOptions,
} from '../../api/index.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { rejects } from '../helpers/expected-errors.js'
import { moduleUrl } from '../helpers/module-url.js'
import { canShareMemory } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const onShared = canShareMemory ? test.serial : test.serial.skip

const echo = moduleUrl(`
  export const api = () => ({ die: () => process.exit(3) })
  export default (connection, { host }) => {
    host.memory(connection.info.memory).catch(() => undefined)
    connection.subscribe((frame) => void connection.send(frame))
  }
`)

interface Scene {
  readonly near: Engine
  readonly far: Engine
  readonly endpoint: string
  readonly path: string
}

async function withEngines(
  t: ExecutionContext,
  body: (scene: Scene) => Promise<void>,
  options: EngineOptions = {},
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const near = await createEngine({ shards: 1 })
  const far = await createEngine({ shards: 1, ...options })
  try {
    await body({ near, far, endpoint: `shm:${path}`, path })
  } finally {
    for (const engine of [near, far]) {
      const report = await engine.close({ graceMs: 0 })
      t.is(report.leaked, 0, JSON.stringify(report.byKind))
    }
    await folder.remove()
  }
}

async function echoes(t: ExecutionContext, connection: Connection, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) {
    const frame = Buffer.alloc(size, size % 251)
    if (!connection.send(frame)) await connection.ready()
    const back = await connection.receive()
    t.true(back?.equals(frame), `a frame of ${String(size)} bytes`)
  }
}

/** Also one that needs a larger ring, and one that no ring has room for. */
const SIZES = [0, 1, 64, 5_000, 200_000, 9_000_000]

onShared('a module serves connections over shared memory, and its frames are counted', async (t) => {
  await withEngines(t, async ({ near, far, endpoint }) => {
    const memories: unknown[] = []
    const listener = await far.transport(endpoint).listen({
      handler: echo,
      host: { memory: (memory: unknown) => void memories.push(memory) },
    })
    const connections = [await near.transport(endpoint).connect(), await near.transport(endpoint).connect()]
    for (const connection of connections) {
      t.is(connection.info.memory, 'shared')
      await echoes(t, connection, SIZES)
    }
    await until(() => memories.length === 2)
    t.deepEqual(memories, ['shared', 'shared'])
    t.deepEqual(listener.stats(), { accepted: 2, open: 2, queued: 0, refused: 0 })
    const { byKind } = far.stats().ledger
    t.deepEqual([byKind.connections.open, byKind.mappings.open, byKind.lanes.open], [2, 2, 0])
    const [shard] = far.stats().shards
    t.deepEqual([shard?.connections, shard?.handlers.connections], [2, 2])
    t.is(shard?.handlers.frames, 2 * SIZES.length)
    for (const connection of connections) t.deepEqual(await connection.close(), { code: 'OK' })
    await until(() => listener.stats().open === 0)
    t.is(far.stats().ledger.byKind.mappings.open, 0)
    // Addresses are used again.
    const again = await near.transport(endpoint).connect()
    await echoes(t, again, [64])
    again.destroy()
    await until(() => far.stats().ledger.byKind.duplicates.open === 0)
  })
})

onShared('a module serves a connection that its shard has dialled over shared memory', async (t) => {
  await withEngines(t, async ({ near, far, endpoint }) => {
    const listener = await far.transport(endpoint).listen()
    const served = await near.transport(endpoint).connect({ handler: echo })
    const peer = await listener.accept()
    if (peer === undefined) throw new Error('the listener closed')
    t.is(peer.info.memory, 'shared')
    await echoes(t, peer, SIZES)
    t.is(near.stats().ledger.byKind.mappings.open, 1)
    const closing = peer.close()
    t.deepEqual(await served.closed, { code: 'OK' })
    await closing
  })
})

onShared('modules at both ends', async (t) => {
  await withEngines(t, async ({ near, far, endpoint }) => {
    await far.transport(endpoint).listen({ handler: echo })
    const asking = moduleUrl(`
      export const api = () => ({ echoed: () => done })
      let tell
      const done = new Promise((resolve) => { tell = resolve })
      export default (connection) => {
        let left = 1000
        connection.subscribe((frame) => {
          if (--left > 0) connection.send(frame)
          else tell(String(frame))
        })
        connection.send('ping')
      }
    `)
    const served = await near.transport(endpoint).connect<{ echoed(): Promise<string> }>({ handler: asking })
    t.is(await served.api.echoed(), 'ping')
    t.deepEqual(await served.close(), { code: 'OK' })
  })
})

for (const [who, dial, accept] of [
  ['the dialling side', { memory: 'socket' }, {}],
  ['the module', {}, { memory: 'socket' }],
] as const satisfies readonly (readonly [string, TransportOptions, TransportOptions])[]) {
  onUnix(`where ${who} offers no memory, frames go over the socket`, async (t) => {
    await withEngines(t, async ({ near, far, endpoint }) => {
      await far.transport(endpoint, accept).listen({ handler: echo })
      const connection = await near.transport(endpoint, dial).connect()
      t.is(connection.info.memory, 'socket')
      await echoes(t, connection, SIZES)
      const { byKind } = far.stats().ledger
      t.deepEqual([byKind.lanes.open, byKind.mappings.open, byKind.duplicates.open], [1, 0, 0])
      t.deepEqual(await connection.close(), { code: 'OK' })
    })
  })
}

onUnix('a peer that is no engine is refused, and one that is silent is, after connectTimeoutMs', async (t) => {
  await withEngines(t, async ({ near, far, endpoint, path }) => {
    const transport = far.transport(endpoint, { connectTimeoutMs: 300 })
    const listener = await transport.listen({ handler: echo })
    const stranger = net.connect(path)
    stranger.on('error', () => undefined)
    stranger.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await once(stranger, 'close')
    await until(() => listener.stats().refused === 1)
    const silent = net.connect(path)
    silent.on('error', () => undefined)
    await once(silent, 'close')
    await until(() => listener.stats().refused === 2)
    await until(() => far.stats().ledger.byKind.lanes.open === 0)
    const connection = await near.transport(endpoint).connect()
    await echoes(t, connection, [64])
    connection.destroy()
  })
})

onUnix('silent peers do not count as open connections, and maxConnections holds', async (t) => {
  await withEngines(t, async ({ near, far, endpoint, path }) => {
    const listener = await far.transport(endpoint, { maxConnections: 1 }).listen({ handler: echo })
    const silent = net.connect(path)
    silent.on('error', () => undefined)
    await once(silent, 'connect')
    const first = await near.transport(endpoint).connect()
    await echoes(t, first, [64])
    const second = await near.transport(endpoint).connect()
    await second.closed
    t.like(listener.stats(), { accepted: 1, open: 1, refused: 1 })
    const closed = once(silent, 'close')
    silent.resume()
    await listener.close()
    await closed
    await echoes(t, first, [64])
    first.destroy()
  })
})

onUnix('past the handshakes that may be under way, peers wait for one', async (t) => {
  await withEngines(t, async ({ near, far, endpoint, path }) => {
    const options = { maxQueuedConnections: 16, connectTimeoutMs: 400 }
    const listener = await far.transport(endpoint, options).listen({ handler: echo })
    const silent = Array.from({ length: 16 }, () => net.connect(path).on('error', () => undefined))
    await Promise.all(silent.map((socket) => once(socket, 'connect')))
    const connection = await near.transport(endpoint).connect()
    await echoes(t, connection, [64])
    await until(() => listener.stats().refused === 16)
    connection.destroy()
  })
})

onShared('a shard that dies takes its connections over shared memory with it', async (t) => {
  await withEngines(
    t,
    async ({ near, far, endpoint }) => {
      const listener = await far.transport(endpoint).listen<{ die(): void }>({ handler: echo })
      const connection = await near.transport(endpoint).connect()
      await echoes(t, connection, [64])
      const [handler] = listener.handlers
      if (handler === undefined) throw new Error('nobody serves')
      await rejects(t, handler.api.die(), 'ERR_SHARD_LOST')
      t.is((await connection.closed).code, 'ERR_RESET')
      await until(() => far.stats().ledger.byKind.mappings.open === 0)
      await until(() => listener.handlers.length === 1)
      const again = await near.transport(endpoint).connect()
      await echoes(t, again, [64])
      again.destroy()
    },
    { restart: { max: 5 } },
  )
})

onShared('what is over maxFrameBytes, half-open ends and backpressure are as on main', async (t) => {
  await withEngines(t, async ({ near, far, endpoint }) => {
    const flooding = moduleUrl(`
      export default async (connection) => {
        let bytes = 0
        for await (const frame of connection) bytes += frame.length
        const frame = Buffer.alloc(100_000, 5)
        for (let i = 0; i < 300; i++) if (!connection.send(frame)) await connection.ready()
        connection.send(String(bytes))
        await connection.end()
      }
    `)
    const options = { allowHalfOpen: true, maxFrameBytes: 100_000 }
    await far.transport(endpoint, options).listen({ handler: flooding })
    const connection = await near.transport(endpoint, { ...options, maxFrameBytes: 200_000 }).connect()
    t.is(connection.info.memory, 'shared')
    const frame = Buffer.alloc(100_000, 3)
    for (let i = 0; i < 300; i++) if (!connection.send(frame)) await connection.ready()
    await connection.end()
    let bytes = 0
    let last = ''
    for await (const back of connection) {
      bytes += back.length
      last = back.length < 100 ? String(back) : ''
    }
    t.deepEqual([bytes - last.length, last], [30_000_000, '30000000'])
    t.deepEqual(await connection.closed, { code: 'OK' })
    const other = await near.transport(endpoint, { maxFrameBytes: 200_000 }).connect()
    other.send(Buffer.alloc(150_000))
    t.is((await other.closed).code, 'ERR_RESET')
  })
})

onUnix('without native memory in this process the other side goes on over the socket', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = `shm:${folder.socketPath()}`
  const near = await startEngine({ shards: 1 }, systemClock, () => Promise.resolve({ reason: 'there is none' }))
  const far = await createEngine({ shards: 1 })
  try {
    await far.transport(endpoint).listen({ handler: echo })
    const connection = await near.transport(endpoint).connect()
    t.is(connection.info.memory, 'socket')
    await echoes(t, connection, [64])
    connection.destroy()
  } finally {
    for (const engine of [near, far]) t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await folder.remove()
  }
})
