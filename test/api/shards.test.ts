/** Several shards: which shard carries which connection, and what stats() says about it. */
import net from 'node:net'
import test from 'ava'
import { createEngine, type Connection, type Engine, type TransportError } from '../../api/index.js'
import { digestOf, framesOf, receiveMany, sendAll } from '../helpers/frames.js'
import { rawFrame, RawReader } from '../helpers/raw-frames.js'
import { makeTemporaryFolder, pathOf, randomName } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
/**
 * The kernel gives a connection to the first thread that is ready. This many must be enough to reach each thread once.
 */
const MOST_CONNECTIONS = 400
const BURST = 20
/** When there was such a moment, about every second connection hit it. */
const ROUNDS = 30

failOnWarnings()

async function withEngine(shards: number, body: (engine: Engine) => Promise<void>): Promise<number> {
  const engine = await createEngine({ shards })
  try {
    await body(engine)
  } finally {
    await engine.close()
  }
  return engine.stats().ledger.open
}

function shardsOf(connections: readonly Connection[]): number[] {
  return connections.map((connection) => connection.info.shard)
}

test.serial('a peer that connects while a listener is put onto its shards is served, not cut', async (t) => {
  t.timeout(WATCHDOG_MS)
  const leaked = await withEngine(2, async (engine) => {
    for (let i = 0; i < ROUNDS; i++) {
      const transport = engine.transport(`memory:${randomName()}`)
      const listening = transport.listen()
      // As soon as the first shard listens.
      const connect = (): Promise<Connection> =>
        transport
          .connect()
          .catch((error: unknown) =>
            (error as TransportError).code === 'ERR_NOT_FOUND' ? connect() : Promise.reject(error as Error),
          )
      const connection = await connect()
      const listener = await listening
      const accepted = listener.accept()
      t.is(await Promise.race([connection.closed, accepted.then((one) => one !== undefined)]), true)
      connection.destroy()
      await Promise.all([connection.closed, listener.close()])
    }
  })
  t.is(leaked, 0)
})

// A pipe's listener is on one shard.
const whereSpread = process.platform === 'win32' ? test.serial.skip : test.serial

for (const shards of [2, 3]) {
  whereSpread(`one listener's connections land on each of ${String(shards)} shards, and all are served`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const clients: net.Socket[] = []
    try {
      const leaked = await withEngine(shards, async (engine) => {
        const path = folder.socketPath()
        const accepted: Connection[] = []
        await engine.transport(`unix:${path}`).listen((connection) => {
          accepted.push(connection)
          connection.subscribe((frame) => connection.send(frame), { borrow: true })
        })
        const reached = new Set<number>()
        while (reached.size < shards && clients.length < MOST_CONNECTIONS) {
          const burst = Array.from({ length: BURST }, () => net.connect(path))
          clients.push(...burst)
          const echoes = await Promise.all(
            burst.map((client, i) => {
              client.write(rawFrame(`hello ${String(i)}`))
              return new RawReader(client).next()
            }),
          )
          t.deepEqual(
            echoes.map(String),
            burst.map((_, i) => `hello ${String(i)}`),
          )
          for (const shard of shardsOf(accepted)) reached.add(shard)
        }
        t.is(reached.size, shards, `after ${String(clients.length)} connections`)
        t.is(accepted.length, clients.length)
        const stats = engine.stats()
        t.is(stats.connections, clients.length)
        t.deepEqual(
          stats.shards.map((shard) => shard.connections),
          stats.shards.map(({ shard }) => shardsOf(accepted).filter((one) => one === shard).length),
        )
      })
      t.is(leaked, 0)
    } finally {
      for (const client of clients) client.destroy()
      await folder.remove()
    }
  })
}

test.serial('a dialled connection goes to the least loaded shard', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = folder.endpoint()
  const server = net.createServer((socket) => socket.resume().on('error', () => undefined))
  try {
    await new Promise<void>((resolve) => server.listen(pathOf(endpoint), resolve))
    const leaked = await withEngine(3, async (engine) => {
      const transport = engine.transport(endpoint)
      const connections: Connection[] = []
      for (let i = 0; i < 6; i++) connections.push(await transport.connect())
      t.deepEqual(shardsOf(connections), [0, 1, 2, 0, 1, 2])
      const onOne = connections.filter((connection) => connection.info.shard === 1)
      await Promise.all(onOne.map((connection) => connection.close()))
      t.deepEqual(
        engine.stats().shards.map((shard) => shard.connections),
        [2, 0, 2],
      )
      t.deepEqual(shardsOf([await transport.connect(), await transport.connect()]), [1, 1])
      const atOnce = await Promise.all(Array.from({ length: 6 }, () => transport.connect()))
      t.deepEqual(shardsOf(atOnce).sort(), [0, 0, 1, 1, 2, 2], 'dials under way count')
    })
    t.is(leaked, 0)
  } finally {
    await new Promise((resolve) => server.close(resolve))
    await folder.remove()
  }
})

test.serial('memory connections use every shard, both ends on the same one', async (t) => {
  t.timeout(WATCHDOG_MS)
  const leaked = await withEngine(3, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const accepted: Connection[] = []
    await transport.listen((connection) => {
      accepted.push(connection)
      connection.subscribe((frame) => connection.send(frame), { borrow: true })
    })
    const dialled: Connection[] = []
    for (let i = 0; i < 6; i++) {
      dialled.push(await transport.connect())
      await until(() => accepted.length === dialled.length)
    }
    t.deepEqual([...new Set(shardsOf(dialled))].sort(), [0, 1, 2])
    t.deepEqual(shardsOf(accepted), shardsOf(dialled))
    const frames = framesOf([0, 10, 100_000])
    for (const connection of dialled) {
      const [, echoes] = await Promise.all([sendAll(connection, frames), receiveMany(connection, 3)])
      t.is(digestOf(echoes), digestOf(frames))
    }
  })
  t.is(leaked, 0)
})

test.serial('stats() counts what is open and what the shards have moved', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 2 })
  try {
    const fresh = engine.stats()
    t.deepEqual([fresh.connections, fresh.listeners, fresh.pendingConnects], [0, 0, 0])
    t.deepEqual(
      fresh.shards.map(({ shard, state, connections, bytesRead }) => ({
        shard,
        state,
        connections,
        bytesRead,
      })),
      [0, 1].map((shard) => ({ shard, state: 'up', connections: 0, bytesRead: 0 })),
    )
    const transport = engine.transport(folder.endpoint())
    const listener = await transport.listen()
    const dialling = transport.connect()
    t.is(engine.stats().pendingConnects, 1)
    const dialled = await dialling
    const accepted = (await listener[Symbol.asyncIterator]().next()).value
    if (accepted === undefined) throw new Error('the listener closed')
    const frames = framesOf([0, 1000, 50_000])
    await Promise.all([sendAll(dialled, frames), receiveMany(accepted, 3)])
    await until(() => dialled.pendingBytes === 0)
    const wireBytes = 51_000 + 3 * 4
    const { shards, ...rest } = engine.stats()
    t.deepEqual([rest.connections, rest.listeners, rest.pendingConnects], [2, 1, 0])
    t.is(
      shards.reduce((sum, shard) => sum + shard.bytesWritten, 0),
      wireBytes,
    )
    t.is(
      shards.reduce((sum, shard) => sum + shard.bytesRead, 0),
      wireBytes,
    )
    for (const count of ['reads', 'writes', 'wakes', 'ringMemoryBytes'] as const) {
      t.true(
        shards.some((shard) => shard[count] > 0),
        count,
      )
    }
    t.is(rest.ledger.byKind.connections.opened, 2)
    t.true(rest.ledger.open > 0)
    await Promise.all([dialled.close(), accepted.close(), listener.close()])
    const after = engine.stats()
    t.deepEqual([after.connections, after.listeners], [0, 0])
    await engine.close()
    const last = engine.stats()
    t.is(last.ledger.open, 0)
    t.deepEqual(
      last.shards.map(({ state }) => state),
      ['stopped', 'stopped'],
    )
  } finally {
    await engine.close()
    await folder.remove()
  }
})
