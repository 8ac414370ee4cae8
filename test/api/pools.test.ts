/** Pools over real connections: what is lent, and that an ended connection is never lent. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import {
  createEngine,
  type Connection,
  type Engine,
  type EngineOptions,
  type LeasedConnection,
  type Transport,
  type TransportOptions,
} from '../../api/index.js'
import type { Poolable } from '../../engine/pool/pool-settings.js'
import { Pool } from '../../engine/pool/pool.js'
import { HandlerFailures } from '../../engine/common/handler-failures.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { rejects, throws } from '../helpers/expected-errors.js'
import { faultyOptions, strike } from '../helpers/faults.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
/** How often to look at shared memory, without a turn of the event loop: more than a thread needs to change it. */
const MOST_LOOKS = 500_000_000

failOnWarnings()

let folder: TemporaryFolder

test.serial.beforeEach('a new folder', async (t) => {
  t.timeout(WATCHDOG_MS)
  folder = await makeTemporaryFolder()
})

test.serial.afterEach.always('the folder is removed', async () => {
  await folder.remove()
})

interface Scene {
  readonly engine: Engine
  readonly transport: Transport
  /** Accepted ends, in their order. */
  readonly peers: Connection[]
}

/** An engine with a listener whose connections answer, and that must have released everything at its end. */
async function withPeers(
  t: ExecutionContext,
  body: (scene: Scene) => Promise<void>,
  options: TransportOptions & { readonly engine?: EngineOptions; readonly silent?: boolean } = {},
): Promise<void> {
  const { engine: engineOptions = {}, silent = false, ...transportOptions } = options
  const engine = await createEngine({ shards: 1, ...engineOptions })
  try {
    const transport = engine.transport(folder.endpoint(), transportOptions)
    const peers: Connection[] = []
    await transport.listen((connection) => {
      peers.push(connection)
      if (!silent) connection.subscribe((frame) => void connection.send(frame))
    })
    await body({ engine, transport, peers })
  } finally {
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
  }
}

async function ask(connection: LeasedConnection, question: string): Promise<string> {
  connection.send(question)
  return String(await connection.receive())
}

test.serial('requests and replies go over the same connection again and again', async (t) => {
  await withPeers(t, async ({ engine, transport, peers }) => {
    const pool = transport.pool({ min: 1, max: 2 })
    for (let i = 0; i < 50; i++) {
      t.is(await pool.use((connection) => ask(connection, `question ${String(i)}`)), `question ${String(i)}`)
    }
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        pool.use(async (connection) => {
          // Twenty answers may be there before a dial is done.
          await until(() => pool.stats().created === 2)
          return ask(connection, String(i))
        }),
      ),
    )
    t.deepEqual(
      replies,
      Array.from({ length: 20 }, (_, i) => String(i)),
    )
    const stats = pool.stats()
    t.like(stats, { size: 2, idle: 2, leased: 0, waiting: 0, created: 2, destroyed: 0, acquired: 70 })
    t.is(stats.reused, 68)
    t.is(peers.length, 2)
    t.deepEqual(engine.stats().pools, [{ endpoint: transport.endpoint, ...stats }])
    await pool.close()
    t.deepEqual(engine.stats().pools, [])
    await rejects(t, pool.acquire(), 'ERR_POOL_CLOSED')
    await Promise.all(peers.map(({ closed }) => closed))
  })
})

test.serial('a leased connection works as one does, until its lease ends', async (t) => {
  await withPeers(t, async ({ transport }) => {
    const pool = transport.pool()
    const lease = await pool.acquire()
    const { connection } = lease
    t.is(connection, lease.connection)
    t.is(await ask(connection, 'hello'), 'hello')
    const said = signal<string>()
    const stop = connection.subscribe((frame) => {
      said.resolve(String(frame))
    })
    connection.send('again')
    t.is(await said.promise, 'again')
    stop()
    connection.send('loop')
    for await (const frame of connection) {
      t.is(String(frame), 'loop')
      break
    }
    await connection.ready()
    connection.unref().ref()
    const unused = connection[Symbol.asyncIterator]()
    t.like(connection.info, { framesSent: 3, framesReceived: 3 })
    t.true(connection.capabilities.halfClose || process.platform === 'win32')
    t.is(connection.pendingBytes, 0)
    lease.release()

    throws(t, () => connection.send('x'), 'ERR_LEASE_ENDED')
    throws(t, () => connection.sendBatch(['x']), 'ERR_LEASE_ENDED')
    await rejects(t, connection.receive(), 'ERR_LEASE_ENDED')
    await rejects(t, connection.ready(), 'ERR_LEASE_ENDED')
    await rejects(t, connection.end(), 'ERR_LEASE_ENDED')
    await rejects(t, connection.close(), 'ERR_LEASE_ENDED')
    throws(t, () => connection.subscribe(() => undefined), 'ERR_LEASE_ENDED')
    throws(t, () => connection.subscribeBatch(() => undefined), 'ERR_LEASE_ENDED')
    await rejects(t, connection[Symbol.asyncIterator]().next(), 'ERR_LEASE_ENDED')
    await rejects(t, unused.next(), 'ERR_LEASE_ENDED')
    throws(
      t,
      () => {
        connection.destroy()
      },
      'ERR_LEASE_ENDED',
    )
    throws(t, () => connection.ref(), 'ERR_LEASE_ENDED')
    throws(t, () => connection.unref(), 'ERR_LEASE_ENDED')

    const next = await pool.acquire()
    stop()
    throws(t, () => connection.send('into the exchange of another user'), 'ERR_LEASE_ENDED')
    t.is(await ask(next.connection, 'mine'), 'mine')
    next.release()
    t.like(pool.stats(), { created: 1, acquired: 2, reused: 1 })
  })
})

test.serial('an idle connection leaves the pool by itself when its peer ends or cuts it', async (t) => {
  await withPeers(t, async ({ transport, peers }) => {
    const pool = transport.pool({ max: 1 })
    for (const [at, leave] of [
      (peer: Connection) => void peer.close(),
      (peer: Connection) => {
        peer.destroy()
      },
      (peer: Connection) => void peer.end(),
    ].entries()) {
      t.is(await pool.use((connection) => ask(connection, 'x')), 'x')
      const peer = peers[at]
      if (peer === undefined) throw new Error('no peer was there')
      leave(peer)
      await until(() => pool.stats().size === 0)
      t.like(pool.stats(), { created: at + 1, destroyed: at + 1 })
      await peer.closed
    }
  })
})

type PooledConnection = Connection & Poolable

/** A pool over bare connections, so that a test can look at what it holds without a turn of the event loop. */
function barePool(transport: Transport): Pool<PooledConnection, PooledConnection> {
  return new Pool<PooledConnection, PooledConnection>(
    {
      min: 0,
      max: 4,
      idleTimeoutMs: 100_000,
      maxLifetimeMs: undefined,
      lifetimeJitter: 0,
      acquireTimeoutMs: 50_000,
      createAttempts: 3,
      backoff: { initialMs: 1, maxMs: 1, factor: 1, jitter: 'none' },
      leakAfterMs: undefined,
      validate: undefined,
    },
    {
      engine: '0',
      endpoint: transport.endpoint,
      clock: systemClock,
      failures: new HandlerFailures(systemClock, undefined),
      random: () => 0,
      dial: (wait) => transport.connect(wait) as Promise<PooledConnection>,
      present: (connection) => connection,
    },
  )
}

for (const [what, act] of [
  [
    'an end',
    (peer: Connection) => {
      peer.destroy()
    },
  ],
  ['a frame', (peer: Connection) => void peer.send('late')],
] as const) {
  test.serial(`a connection is not lent once the shard has seen ${what}, even before main is notified`, async (t) => {
    await withPeers(t, async ({ transport, peers }) => {
      const pool = barePool(transport)
      const lease = await pool.acquire()
      const { connection } = lease
      connection.send('hello')
      await connection.receive()
      lease.release()
      t.like(pool.stats(), { idle: 1 })
      const [peer] = peers
      if (peer === undefined) throw new Error('no peer was there')
      act(peer)
      // What was sent leaves at the end of this microtask; from here on main handles no notification.
      await Promise.resolve()
      let looks = 0
      while (connection.checkout() === undefined && looks < MOST_LOOKS) looks++
      t.true(looks < MOST_LOOKS, 'the shard has seen it')
      t.like(pool.stats(), { idle: 1 }, 'and the pool does not know')
      const acquiring = pool.acquire()
      t.like(pool.stats(), { idle: 0, connecting: 1, destroyed: 1 })
      const other = await acquiring
      t.not(other.connection, connection)
      other.release()
      await pool.close(50_000)
    })
  })
}

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

onUnix('a connection is not lent once the shard has seen a reset, even before main is notified', async (t) => {
  const path = folder.socketPath()
  const sockets: net.Socket[] = []
  // Without a reader, what lies in the kernel when a socket is closed makes a reset of it.
  const server = net.createServer({ pauseOnConnect: true }, (socket) => void sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const engine = await createEngine({ shards: 1 })
  try {
    const pool = barePool(engine.transport(`unix:${path}`))
    const lease = await pool.acquire()
    const { connection } = lease
    connection.send('never read')
    await until(() => connection.pendingBytes === 0 && sockets.length === 1)
    lease.release()
    t.like(pool.stats(), { idle: 1 })
    sockets[0]?.destroy()
    let looks = 0
    while (connection.checkout() === undefined && looks < MOST_LOOKS) looks++
    t.true(looks < MOST_LOOKS)
    const acquiring = pool.acquire()
    t.like(pool.stats(), { idle: 0, connecting: 1, destroyed: 1 })
    ;(await acquiring).release()
    await pool.close(0)
  } finally {
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
})

test.serial('an unexpected frame, or a part of one, ends an idle connection', async (t) => {
  for (const [framing, part] of [
    ['length', Buffer.of(9)],
    ['length', Buffer.of(200, 0, 0, 0, 7)],
    ['length-be', Buffer.of(0)],
    ['length-be', Buffer.of(0, 0, 0, 200, 7)],
    ['line', Buffer.from('begun')],
    ['nul', Buffer.from('begun')],
    ['content-length', Buffer.from('Conte')],
    ['content-length', Buffer.from('Content-Length: 200\r\n\r\nbegun')],
  ] as const) {
    const engine = await createEngine({ shards: 1 })
    try {
      const endpoint = folder.endpoint()
      const peers: Connection[] = []
      await engine.transport(endpoint, { framing: 'raw' }).listen((connection) => {
        peers.push(connection)
        connection.subscribe((bytes) => void connection.send(bytes))
      })
      const pool = engine.transport(endpoint, { framing }).pool({ max: 1 })
      for (const bytes of [part, Buffer.of(0)]) {
        t.is(await pool.use((connection) => ask(connection, 'whole')), 'whole', framing)
        t.like(pool.stats(), { idle: 1, size: 1 }, framing)
        peers.at(-1)?.send(bytes)
        await until(() => pool.stats().size === 0)
      }
      t.like(pool.stats(), { created: 2, destroyed: 2, acquired: 2 })
    } finally {
      t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    }
  }
})

test.serial('a connection with a large reply in pieces stays in the pool', async (t) => {
  for (const framing of ['length', 'line', 'content-length'] as const) {
    await withPeers(
      t,
      async ({ transport }) => {
        const pool = transport.pool({ max: 1 })
        for (let i = 0; i < 20; i++) {
          const question = 'x'.repeat(30_000 + i * 10_000)
          t.true((await pool.use((connection) => ask(connection, question))) === question)
        }
        t.like(pool.stats(), { created: 1, destroyed: 0, reused: 19 }, framing)
      },
      { framing },
    )
  }
})

test.serial('a connection that comes back with unread frames or a reader is destroyed', async (t) => {
  await withPeers(t, async ({ transport, peers }) => {
    const pool = transport.pool({ max: 1 })
    await pool.use(async (connection) => {
      connection.send('one')
      connection.send('two')
      await connection.receive()
      await until(() => peers[0]?.info.framesSent === 2)
      // The reply was sent and may not have arrived; if it comes later, it ends an idle connection.
    })
    await until(() => pool.stats().size === 0)
    await pool.use((connection) => void connection.subscribe(() => undefined))
    t.like(pool.stats(), { size: 0 })
    const lease = await pool.acquire()
    const receiving = lease.connection.receive()
    lease.release()
    await rejects(t, receiving, 'ERR_CLOSED')
    t.like(pool.stats(), { size: 0, created: 3, destroyed: 3 })
  })
})

test.serial('a lease reads in batches, and what stops them once it has ended stops no other user', async (t) => {
  await withPeers(t, async ({ transport }) => {
    const pool = transport.pool({ max: 1 })
    const first = await pool.acquire()
    const answered = signal<string>()
    const stop = first.connection.subscribeBatch((batch) => answered.resolve(String(batch.frame(0))))
    first.connection.send('x')
    t.is(await answered.promise, 'x')
    stop()
    first.release()
    const second = await pool.acquire()
    const again = signal<string>()
    second.connection.subscribeBatch((batch) => again.resolve(String(batch.frame(0))))
    stop()
    second.connection.send('y')
    t.is(await again.promise, 'y')
    second.destroy()
  })
})

test.serial('a subscriber that stopped from inside an asynchronous call does not prevent reuse', async (t) => {
  await withPeers(t, async ({ transport }) => {
    const pool = transport.pool({ max: 1 })
    const lease = await pool.acquire()
    const over = signal()
    const stop = lease.connection.subscribe(async () => {
      stop()
      await turns()
      over.resolve()
    })
    lease.connection.send('x')
    await over.promise
    await turns(3)
    lease.release()
    t.like(pool.stats(), { idle: 1, destroyed: 0 })
    t.is(await pool.use((connection) => ask(connection, 'next')), 'next')
  })
})

test.serial(
  'frames that have not left when a connection comes back still leave, and it is not lent again',
  async (t) => {
    await withPeers(
      t,
      async ({ transport, peers }) => {
        const pool = transport.pool({ max: 1 })
        const large = Buffer.alloc(3_000_000, 5)
        await pool.use((connection) => void connection.send(large))
        t.like(pool.stats(), { size: 0, created: 1, destroyed: 1 })
        await until(() => peers.length === 1)
        const got = await peers[0]?.receive()
        t.true(got?.equals(large))
        t.is(await peers[0]?.receive(), undefined)
      },
      { silent: true, closeTimeoutMs: 50_000 },
    )
  },
)

test.serial('a closing engine ends its pools: waiting requests, idle connections and leases', async (t) => {
  await withPeers(t, async ({ engine, transport }) => {
    const pool = transport.pool({ max: 2, acquireTimeoutMs: 50_000 })
    const other = transport.pool({ min: 1 })
    await until(() => other.stats().idle === 1)
    const leases = [await pool.acquire(), await pool.acquire()]
    const waiting = pool.acquire()
    const closing = engine.close({ graceMs: 50_000 })
    const error = await rejects(t, waiting, 'ERR_POOL_CLOSED')
    t.is((error.cause as { code?: string }).code, 'ERR_ENGINE_CLOSED')
    await rejects(t, pool.acquire(), 'ERR_POOL_CLOSED')
    leases[0]?.release()
    t.is((await closing).leaked, 0)
    throws(t, () => leases[1]?.connection, 'ERR_LEASE_ENDED')
    leases[1]?.release()
    for (const one of [pool, other]) {
      const { size, created, destroyed } = one.stats()
      t.deepEqual([size, created - destroyed], [0, 0])
    }
    await Promise.all([pool.close(), other.close()])
    throws(t, () => transport.pool(), 'ERR_ENGINE_CLOSED')
  })
})

test.serial('a closing engine settles all dials and validations of a pool', async (t) => {
  await withPeers(t, async ({ engine, transport }) => {
    const validating = signal()
    const pool = transport.pool({
      max: 2,
      validate: (connection) => {
        validating.resolve()
        return connection.receive()
      },
    })
    const waiting = [pool.acquire(), pool.acquire()]
    const outcomes = Promise.allSettled(waiting)
    await validating.promise
    t.is((await engine.close({ graceMs: 50_000 })).leaked, 0)
    t.deepEqual(
      (await outcomes).map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    t.like(pool.stats(), { size: 0, waiting: 0 })
  })
})

test.serial('a pool outlives a shard that dies with idle and leased connections on it', async (t) => {
  await withPeers(
    t,
    async ({ engine, transport }) => {
      const pool = transport.pool({ min: 2, max: 3, backoff: { initialMs: 1, maxMs: 5 } })
      await until(() => pool.stats().idle === 2)
      const lease = await pool.acquire()
      await strike(engine, 0, 'exit')
      await lease.connection.closed
      lease.release()
      for (let i = 0; i < 10; i++) {
        t.is(await pool.use((connection) => ask(connection, 'still there')), 'still there')
      }
      await until(() => pool.stats().idle === 2)
      const { size, created, destroyed } = pool.stats()
      t.is(size, created - destroyed)
      t.true(destroyed >= 2)
    },
    { engine: faultyOptions() },
  )
})

test.serial('a pool without a peer rejects as connecting does, and recovers', async (t) => {
  await withPeers(t, async ({ engine }) => {
    const transport = engine.transport(folder.endpoint())
    const pool = transport.pool({ createAttempts: 2, backoff: { initialMs: 1, maxMs: 2 } })
    const error = await rejects(t, pool.acquire(), 'ERR_NOT_FOUND')
    t.is(error.endpoint, transport.endpoint)
    t.is((error.cause as { code?: string }).code, 'ERR_NOT_FOUND')
    await transport.listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame))
    })
    t.is(await pool.use((connection) => ask(connection, 'now')), 'now')
  })
})

test.serial('validate can ask the peer', async (t) => {
  await withPeers(t, async ({ transport }) => {
    let asked = 0
    const pool = transport.pool({
      max: 1,
      validate: async (connection) => {
        asked++
        return (await ask(connection, 'well?')) === 'well?'
      },
    })
    for (let i = 0; i < 5; i++) t.is(await pool.use((connection) => ask(connection, 'x')), 'x')
    t.is(asked, 5)
    t.like(pool.stats(), { created: 1, reused: 4 })
  })
})

test.serial('impossible options are refused by name', async (t) => {
  await withPeers(t, async ({ transport }) => {
    for (const [name, options] of [
      ['maximum', { maximum: 3 }],
      ['min', { min: -1 }],
      ['min', { min: 9 }],
      ['min', { min: 3, max: 2 }],
      ['max', { max: 0 }],
      ['max', { max: 1.5 }],
      ['max', { max: 32_769 }],
      ['idleTimeoutMs', { idleTimeoutMs: -1 }],
      ['maxLifetimeMs', { maxLifetimeMs: 0 }],
      ['lifetimeJitter', { lifetimeJitter: 1.1 }],
      ['acquireTimeoutMs', { acquireTimeoutMs: 2 ** 31 }],
      ['createAttempts', { createAttempts: 0 }],
      ['backoff', { backoff: 5 }],
      ['backoff.initialMs', { backoff: { initialMs: 0 } }],
      ['backoff.maxMs', { backoff: { initialMs: 10, maxMs: 9 } }],
      ['backoff.factor', { backoff: { factor: 0.5 } }],
      ['backoff.jitter', { backoff: { jitter: 'some' } }],
      ['backoff.often', { backoff: { often: true } }],
      ['leakAfterMs', { leakAfterMs: 0 }],
      ['validate', { validate: true }],
    ] as const) {
      const error = throws(t, () => transport.pool(options as object), 'ERR_INVALID_OPTION')
      t.true(error.message.startsWith('pool(): '), error.message)
      t.regex(error.message, new RegExp(`\\b${name}\\b`))
    }
    const pool = transport.pool({ backoff: { initialMs: 6_000 } })
    for (const options of [{ max: 0 }, { min: 9 }, { mix: 3 }, 5]) {
      throws(
        t,
        () => {
          pool.resize(options as object)
        },
        'ERR_INVALID_OPTION',
      )
    }
    await rejects(t, pool.close({ graceMs: -1 }), 'ERR_INVALID_OPTION')
    pool.resize({ min: 8 })
    throws(
      t,
      () => {
        pool.resize({ max: 7 })
      },
      'ERR_INVALID_OPTION',
    )
    pool.resize({ min: 0, max: 1 })
    await pool[Symbol.asyncDispose]()
  })
})
