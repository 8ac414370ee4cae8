/**
 * What comes before connections whose endpoint asks for it: peers that do not shake hands as they should, and deaths,
 * aborts and deadlines while they do. Nothing here depends on what the messages say.
 */
import { once } from 'node:events'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { Connection, Engine, EngineOptions } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { EventLog, faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { Gate } from '../helpers/gate.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawFrame } from '../helpers/raw-frames.js'
import { startShakingEngine } from '../helpers/shaking-engine.js'
import { makeTemporaryFolder, pathOf, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import type { TransportError, TransportErrorCode } from '../../engine/protocol/errors.js'

const WATCHDOG_MS = 30_000
/** Of what shakes hands here; the clock stands still for it. */
const HANDSHAKE_MS = 10_007
/** Fewer is not allowed. */
const FEWEST_QUEUED = 16

failOnWarnings()

interface Scene {
  readonly folder: TemporaryFolder
  readonly endpoint: string
  readonly clock: ManualClock
  readonly engine: Engine
  /** Another engine, closed in the end like the first. */
  readonly other: (options?: EngineOptions) => Promise<Engine>
  /** A plain peer that has connected to the endpoint. */
  readonly peer: () => Promise<net.Socket>
  /** Plain peers that listen on the endpoint get this. */
  readonly serve: (onPeer: (socket: net.Socket) => void) => Promise<void>
}

async function withScene(
  t: ExecutionContext,
  options: EngineOptions,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = folder.endpoint()
  const clock = new ManualClock((ms) => ms === HANDSHAKE_MS)
  const engines: Engine[] = [await startShakingEngine({ shards: 1, wake: 'park', ...options }, clock)]
  const sockets: net.Socket[] = []
  const servers: net.Server[] = []
  const keep = (socket: net.Socket): net.Socket => {
    sockets.push(socket)
    return socket.on('error', () => undefined)
  }
  const [engine] = engines
  if (engine === undefined) throw new Error('there is no engine')
  const leaks: number[] = []
  try {
    await use({
      folder,
      endpoint,
      clock,
      engine,
      other: async (given) => {
        const another = await startShakingEngine({ shards: 1, wake: 'park', ...given })
        engines.push(another)
        return another
      },
      peer: async () => {
        const socket = keep(net.connect(pathOf(endpoint)))
        await once(socket, 'connect')
        return socket
      },
      serve: async (onPeer) => {
        const server = net.createServer((socket) => onPeer(keep(socket)))
        servers.push(server)
        await new Promise<void>((resolve) => server.listen(pathOf(endpoint), resolve))
      },
    })
  } finally {
    for (const one of engines) leaks.push((await one.close({ graceMs: 0 })).leaked)
    for (const socket of sockets) socket.destroy()
    for (const server of servers) server.close()
    await folder.remove()
  }
  t.deepEqual(
    leaks,
    engines.map(() => 0),
  )
}

/** Lanes that handshakes and connections have. */
function lanesOf(engine: Engine): number {
  return engine.stats().ledger.byKind.lanes.open
}

async function echo(engine: Engine, endpoint: string): Promise<void> {
  const connection = await engine.transport(endpoint).connect()
  connection.send('hello')
  const reply = String(await connection.receive())
  if (reply !== 'hello') throw new Error(`the reply was ${reply}`)
  await connection.close()
}

/** Resolves once each has closed; to be called before that. */
async function allClosed(sockets: readonly net.Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => once(socket.resume(), 'close')))
}

const echoing = (connection: Connection): void => {
  connection.subscribe((frame) => connection.send(frame))
}

test.serial('frames follow the handshake at once, both ways, and are all that is counted', async (t) => {
  await withScene(t, {}, async ({ engine, endpoint, other }) => {
    const listener = await engine.transport(endpoint).listen()
    const dialler = await other()
    const dialled = await dialler.transport(endpoint).connect()
    dialled.send('one')
    const accepted = await listener.accept()
    if (accepted === undefined) throw new Error('nothing was accepted')
    accepted.send('two')
    t.is(String(await accepted.receive()), 'one')
    t.is(String(await dialled.receive()), 'two')
    for (const { info } of [dialled, accepted]) {
      const { framesSent, bytesSent, framesReceived, bytesReceived, memory } = info
      t.deepEqual([framesSent, bytesSent, framesReceived, bytesReceived, memory], [1, 3, 1, 3, 'socket'])
    }
    t.deepEqual(listener.stats(), { accepted: 1, open: 1, queued: 0, refused: 0 })
    t.deepEqual([engine.stats().connections, engine.stats().sharedMemory.connections], [1, 0])
    await dialled.close()
    t.is(await accepted.receive(), undefined)
  })
})

/** What a peer does that does not shake hands. */
const strangers: readonly (readonly [what: string, code: TransportErrorCode, act: (socket: net.Socket) => void])[] = [
  ['says something else', 'ERR_HANDSHAKE', (socket) => socket.write(rawFrame('something else'))],
  ['says something long', 'ERR_HANDSHAKE', (socket) => socket.write(rawFrame(Buffer.alloc(600)).subarray(0, 4))],
  ['ends at once', 'ERR_RESET', (socket) => socket.end()],
  ['ends in the middle of a message', 'ERR_RESET', (socket) => socket.end(Buffer.from([5, 0]))],
]

for (const [what, code, act] of strangers) {
  test.serial(`a peer that ${what} is not connected to`, async (t) => {
    await withScene(t, {}, async ({ engine, endpoint, serve }) => {
      const ended = signal()
      await serve((socket) => {
        // It has heard the first message before.
        socket.once('data', () => act(socket)).on('close', () => ended.resolve())
      })
      await rejects(t, engine.transport(endpoint).connect(), code)
      await ended.promise
      await until(() => lanesOf(engine) === 0)
      t.is(engine.stats().pendingConnects, 0)
    })
  })

  test.serial(`a peer that connects and ${what} is refused, and the listener goes on`, async (t) => {
    await withScene(t, {}, async ({ engine, endpoint, peer, other }) => {
      const log = new EventLog('listener.refused', 'connection.opened')
      try {
        const listener = await engine.transport(endpoint).listen(echoing)
        const socket = await peer()
        act(socket)
        socket.resume()
        await once(socket, 'close')
        await until(() => listener.stats().refused === 1 && lanesOf(engine) === 0)
        t.deepEqual(
          log.lines.map(({ event, message }) => [event, message]),
          [['listener.refused', { engine: engine.id, endpoint }]],
        )
        await echo(await other(), endpoint)
        t.is(listener.stats().accepted, 1)
      } finally {
        log.stop()
      }
    })
  })
}

test.serial('a peer that accepts and says nothing is given up in time, and the error says so', async (t) => {
  await withScene(t, {}, async ({ engine, endpoint, clock, serve }) => {
    const heard = signal<net.Socket>()
    await serve((socket) => socket.once('data', () => heard.resolve(socket)))
    const transport = engine.transport(endpoint, { connectTimeoutMs: HANDSHAKE_MS })
    const connecting = rejects(t, transport.connect(), 'ERR_TIMEOUT')
    const socket = await heard.promise
    t.deepEqual([engine.stats().pendingConnects, engine.stats().connections, lanesOf(engine)], [1, 0, 1])
    clock.advance(HANDSHAKE_MS)
    t.regex((await connecting).message, /the handshake was not over/)
    await once(socket.resume(), 'close')
    await until(() => lanesOf(engine) === 0)
  })
})

/** When a connect is given up. */
const moments = ['at once', 'when the peer is dialled', 'when the peer was spoken to', 'in the middle of its answer']

for (const moment of moments) {
  test.serial(`a connect is aborted ${moment}`, async (t) => {
    await withScene(t, {}, async ({ engine, endpoint, serve }) => {
      const controller = new AbortController()
      const abort = (): void => controller.abort()
      const sockets: net.Socket[] = []
      await serve((socket) => {
        sockets.push(socket)
        if (moment === 'when the peer is dialled') abort()
        socket.on('data', () => {
          if (moment === 'in the middle of its answer') socket.write(Buffer.from([9, 0, 0, 0, 1]), abort)
          else abort()
        })
      })
      const connecting = rejects(t, engine.transport(endpoint).connect({ signal: controller.signal }), 'ERR_ABORTED')
      if (moment === 'at once') abort()
      await connecting
      t.is(engine.stats().pendingConnects, 0)
      await until(() => lanesOf(engine) === 0)
      await until(() => sockets.every((socket) => socket.destroyed))
    })
  })
}

test.serial('a connect ends with the shard that it shakes hands on, and the next one goes to another', async (t) => {
  await withScene(t, faultyOptions(), async ({ engine, endpoint, folder, serve }) => {
    const heard = signal()
    await serve((socket) => socket.once('data', () => heard.resolve()))
    const connecting = rejects(t, engine.transport(endpoint).connect(), 'ERR_SHARD_LOST')
    await heard.promise
    const restored = nextEvent('shard.restored')
    await strike(engine, 0, 'exit')
    await connecting
    t.is(lanesOf(engine), 0)
    await restored
    const elsewhere = folder.endpoint()
    await engine.transport(elsewhere).listen(echoing)
    await echo(engine, elsewhere)
  })
})

test.serial('a connect whose handshake is under way ends with the engine', async (t) => {
  await withScene(t, {}, async ({ engine, endpoint, serve }) => {
    const heard = signal()
    await serve((socket) => socket.once('data', () => heard.resolve()))
    const connecting = rejects(t, engine.transport(endpoint).connect(), 'ERR_ENGINE_CLOSED')
    await heard.promise
    t.is((await engine.close()).leaked, 0)
    await connecting
  })
})

test.serial('peers that connect and say nothing are given up in time', async (t) => {
  await withScene(t, {}, async ({ engine, endpoint, clock, peer }) => {
    const listener = await engine.transport(endpoint, { connectTimeoutMs: HANDSHAKE_MS }).listen(echoing)
    const sockets = [await peer(), await peer()]
    await until(() => lanesOf(engine) === 2)
    t.deepEqual(listener.stats(), { accepted: 0, open: 0, queued: 0, refused: 0 })
    const closed = allClosed(sockets)
    clock.advance(HANDSHAKE_MS)
    t.is(listener.stats().refused, 2)
    await closed
    await until(() => lanesOf(engine) === 0)
    t.deepEqual(clock.armed, [])
  })
})

test.serial('handshakes end with their shard, and the listener goes on with the next', async (t) => {
  await withScene(t, faultyOptions(), async ({ engine, endpoint, clock, peer, other }) => {
    const listener = await engine.transport(endpoint, { connectTimeoutMs: HANDSHAKE_MS }).listen(echoing)
    const socket = await peer()
    socket.write(Buffer.from([5]))
    await until(() => lanesOf(engine) === 1)
    const closed = once(socket.resume(), 'close')
    const restored = nextEvent('shard.restored')
    await strike(engine, 0, 'exit')
    await closed
    await restored
    t.deepEqual([lanesOf(engine), clock.armed.length, listener.stats().open], [0, 0, 0])
    await echo(await other(), endpoint)
  })
})

for (const what of ['listener', 'engine']) {
  test.serial(`handshakes end with the ${what}`, async (t) => {
    await withScene(t, {}, async ({ engine, endpoint, clock, peer }) => {
      const listener = await engine.transport(endpoint, { connectTimeoutMs: HANDSHAKE_MS }).listen(echoing)
      const sockets = [await peer(), await peer()]
      await until(() => lanesOf(engine) === 2)
      const closed = allClosed(sockets)
      if (what === 'listener') await listener.close()
      else t.is((await engine.close()).leaked, 0)
      await closed
      await until(() => lanesOf(engine) === 0)
      t.deepEqual([clock.armed, listener.stats().refused], [[], 0])
    })
  })
}

test.serial('200 silent peers are bounded, and those behind them get through', async (t) => {
  const silent = 200
  await withScene(t, {}, async ({ engine, endpoint, clock, peer, other }) => {
    const options = { connectTimeoutMs: HANDSHAKE_MS, maxQueuedConnections: FEWEST_QUEUED }
    const listener = await engine.transport(endpoint, options).listen(echoing)
    const log = new EventLog('listener.paused', 'listener.resumed')
    try {
      for (let i = 0; i < silent; i++) await peer()
      const dialler = await other()
      let isThrough = false
      const through = echo(dialler, endpoint).then(() => {
        isThrough = true
      })
      let most = 0
      await until(() => {
        most = Math.max(most, lanesOf(engine))
        return log.of('listener.paused').length > 0 && clock.armed.length === FEWEST_QUEUED
      })
      await until(() => {
        most = Math.max(most, clock.armed.length)
        // Only while all are silent: for the one that is not, time does not run out.
        if (clock.armed.length === FEWEST_QUEUED) clock.advance(HANDSHAKE_MS)
        return isThrough
      })
      await through
      t.is(most, FEWEST_QUEUED)
      t.true(log.of('listener.resumed').length > 0)
      t.deepEqual([listener.stats().refused, listener.stats().accepted], [silent - (silent % FEWEST_QUEUED), 1])
    } finally {
      log.stop()
    }
  })
})

test.serial('connections that nobody takes bound the handshakes behind them', async (t) => {
  const peers = 3 * FEWEST_QUEUED
  await withScene(t, {}, async ({ engine, endpoint, other }) => {
    const listener = await engine.transport(endpoint, { maxQueuedConnections: FEWEST_QUEUED }).listen()
    const dialler = await other()
    const transport = dialler.transport(endpoint)
    let connected = 0
    const connecting = Array.from({ length: peers }, async (_, i) => {
      const connection = await transport.connect()
      connected++
      connection.send(String(i))
    })
    await until(() => listener.stats().queued === FEWEST_QUEUED && connected === FEWEST_QUEUED)
    await turns(20)
    t.deepEqual([connected, listener.stats().queued, lanesOf(engine)], [FEWEST_QUEUED, FEWEST_QUEUED, FEWEST_QUEUED])
    const heard = new Set<string>()
    for (let i = 0; i < peers; i++) heard.add(String(await (await listener.accept())?.receive()))
    await Promise.all(connecting)
    t.is(heard.size, peers)
    t.deepEqual(listener.stats(), { accepted: peers, open: peers, queued: 0, refused: 0 })
  })
})

test.serial('dials that wait when their listener closes may be tried again', async (t) => {
  await withScene(t, {}, async ({ engine, endpoint, other }) => {
    const listener = await engine.transport(endpoint, { maxQueuedConnections: FEWEST_QUEUED }).listen()
    const dialler = await other()
    const transport = dialler.transport(endpoint)
    const codes = new Set<string>()
    const connecting = Array.from({ length: FEWEST_QUEUED + 4 }, () =>
      transport.connect().catch((error: unknown) => {
        codes.add((error as TransportError).code)
        t.true((error as TransportError).retryable, String(error))
      }),
    )
    await until(() => listener.stats().queued === FEWEST_QUEUED)
    await turns(20)
    await listener.close()
    await Promise.all(connecting)
    t.deepEqual([...codes], ['ERR_RESET'])
  })
})

test.serial('connections come in the order in which their handshakes end', async (t) => {
  await withScene(t, {}, async ({ engine, endpoint, folder, other }) => {
    const heard: string[] = []
    await engine.transport(endpoint).listen(async (connection) => {
      heard.push(String(await connection.receive()))
    })
    const gateEndpoint = folder.endpoint()
    const gate = new Gate(pathOf(endpoint))
    await gate.listen(pathOf(gateEndpoint))
    try {
      const dialler = await other()
      const first = dialler.transport(gateEndpoint).connect()
      await until(() => (gate.passages[0]?.held.length ?? 0) > 0)
      const second = await dialler.transport(endpoint).connect()
      second.send('second')
      await until(() => heard.length === 1)
      gate.passages[0]?.open()
      const late = await first
      late.send('first')
      await until(() => heard.length === 2)
      t.deepEqual(heard, ['second', 'first'])
    } finally {
      gate.close()
    }
  })
})

test.serial('a connection over maxConnections is cut after its handshake', async (t) => {
  await withScene(t, {}, async ({ engine, endpoint, other }) => {
    const listener = await engine.transport(endpoint, { maxConnections: 1 }).listen(echoing)
    const dialler = await other()
    const first = await dialler.transport(endpoint).connect()
    await until(() => listener.stats().open === 1)
    // It may be cut before the listener's last message has left.
    const second = await dialler
      .transport(endpoint)
      .connect()
      .catch((error: unknown) => error as TransportError)
    if (second instanceof Error) t.is(second.code, 'ERR_RESET')
    else await second.closed
    await until(() => listener.stats().refused === 1)
    t.deepEqual(listener.stats(), { accepted: 1, open: 1, queued: 0, refused: 1 })
    await first.close()
    await until(() => lanesOf(engine) === 0)
  })
})

test.serial('a connection that waits to be taken is lost with its shard', async (t) => {
  await withScene(t, faultyOptions(), async ({ engine, endpoint, other }) => {
    const listener = await engine.transport(endpoint).listen()
    const dialler = await other()
    const dialled = await dialler.transport(endpoint).connect()
    await until(() => listener.stats().queued === 1)
    const restored = nextEvent('shard.restored')
    await strike(engine, 0, 'exit')
    await dialled.closed
    await restored
    t.is(listener.stats().queued, 0)
    const next = await dialler.transport(endpoint).connect()
    next.send('next')
    t.is(String(await (await listener.accept())?.receive()), 'next')
  })
})
