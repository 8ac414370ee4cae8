/** The host's functions: how their failures are reported, and how long an end waits for those at work. */
import test, { type ExecutionContext } from 'ava'
import { toJsonRpc } from '../../api/adapters/index.js'
import {
  createEngine,
  type Connection,
  type Engine,
  type EngineOptions,
  type TransportOptions,
} from '../../api/index.js'
import { startEngine } from '../../api/engine.js'
import { rejects } from '../helpers/expected-errors.js'
import { FailureBook } from '../helpers/failure-book.js'
import { receiveToEnd } from '../helpers/frames.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { randomName } from '../helpers/temporary-folder.js'
import { signal, turns, until, type Signal } from '../helpers/turns.js'
import { failOnWarnings, WarningBook } from '../helpers/warnings.js'

const WATCHDOG_MS = 10_000
/** Longer than the watchdog lets a test run: a test that passes has not waited for this. */
const GRACE_MS = 60_000

failOnWarnings()

async function withEngine(
  t: ExecutionContext,
  body: (engine: Engine) => Promise<void>,
  options: EngineOptions = {},
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1, ...options })
  try {
    await body(engine)
  } finally {
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
  }
}

/** A subscriber that is at work until the test lets it go on, and then replies. */
class Worker {
  readonly taken: Signal<void> = signal()
  readonly go: Signal<void> = signal()

  readonly serve = (connection: Connection): void => {
    connection.subscribe(async (frame) => {
      this.taken.resolve()
      await this.go.promise
      connection.send(`re: ${String(frame)}`)
    })
  }
}

const digest = (): never => {
  throw new Error('cannot digest')
}

test.serial('without onError a failure is a process warning that shows where it was thrown', async (t) => {
  const warnings = new WarningBook()
  try {
    await withEngine(t, async (engine) => {
      const transport = engine.transport(`memory:${randomName()}`)
      await transport.listen(digest)
      await (
        await transport.connect()
      ).closed
      const { message, code, detail } = await warnings.next()
      t.is(code, 'SYMPHONY_HANDLER_FAILED')
      t.true(message.startsWith(`${transport.endpoint} (`), message)
      t.regex(message, /the listener callback failed, so its connection was destroyed.*Error: cannot digest$/)
      t.regex(detail ?? '', /at .*handlers\.test/)
      for (let i = 0; i < 3; i++) await (await transport.connect()).closed
      t.deepEqual(await warnings.rest(), [])
    })
    t.regex((await warnings.next()).message, /3 more failures/)
  } finally {
    warnings.close()
  }
})

test.serial("a listener's onError is called instead of the engine's", async (t) => {
  const ofEngine = new FailureBook()
  const ofListener = new FailureBook()
  await withEngine(
    t,
    async (engine) => {
      const transport = engine.transport(`memory:${randomName()}`)
      let count = 0
      const handler = (connection: Connection): void => {
        if (count++ === 0) digest()
        connection.subscribe(digest)
      }
      const listener = await transport.listen(handler, { onError: ofListener.onError, timeoutMs: 5_000 })
      await (
        await transport.connect()
      ).closed
      const second = await transport.connect()
      second.send('poison')
      await second.closed
      t.deepEqual(ofListener.takeTold(), ['listener: cannot digest', 'subscriber: cannot digest'])
      const third = await transport.connect()
      third.subscribe(digest)
      await listener.close()
      t.deepEqual(ofEngine.take(), [])
      await rejects(t, transport.listen(handler, { onError: 7 as never }), 'ERR_INVALID_OPTION')
      third.destroy()
    },
    { onError: ofEngine.onError },
  )
})

test.serial('listener.close({graceMs}) waits for its handlers at work, and for no others', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const worker = new Worker()
    const listener = await transport.listen(worker.serve)
    const [busy] = [await transport.connect(), await transport.connect()]
    busy.send('a')
    await worker.taken.promise
    let isClosed = false
    const closing = listener.close({ graceMs: GRACE_MS }).then((info) => {
      isClosed = true
      return info
    })
    await listener.closed
    await turns(3)
    t.false(isClosed)
    worker.go.resolve()
    t.deepEqual(await closing, { code: 'OK' })
    t.is(String(await busy.receive()), 're: a')
    t.deepEqual(await listener.close({ graceMs: GRACE_MS }), { code: 'OK' })
    await rejects(t, listener.close({ graceMs: -1 }), 'ERR_INVALID_OPTION')
  })
})

test.serial('graceMs bounds how long a listener waits', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const worker = new Worker()
    const listener = await transport.listen(worker.serve)
    const connection = await transport.connect()
    connection.send('a')
    await worker.taken.promise
    t.deepEqual(await listener.close({ graceMs: 5 }), { code: 'OK' })
    worker.go.resolve()
    t.is(String(await connection.receive()), 're: a')
  })
})

test.serial('a closing engine waits for the work of a subscriber to a reconnecting connection', async (t) => {
  t.timeout(WATCHDOG_MS)
  const [near, far] = [await createEngine({ shards: 1 }), await createEngine({ shards: 1 })]
  const endpoint = `local:${randomName()}`
  try {
    const listener = await far.transport(endpoint).listen()
    const connection = near.transport(endpoint).reconnecting()
    const peer = await listener.accept()
    if (peer === undefined) throw new Error('the listener closed')
    const taken = signal()
    const go = signal()
    connection.subscribe(async (frame) => {
      taken.resolve()
      await go.promise
      connection.send(`re: ${String(frame)}`)
    })
    const received = receiveToEnd(peer)
    peer.send('a')
    peer.send('b')
    await taken.promise
    const closing = near.close({ graceMs: GRACE_MS })
    go.resolve()
    t.deepEqual((await received).map(String), ['re: a', 're: b'])
    t.is((await connection.closed).code, 'OK')
    t.is((await closing).leaked, 0)
  } finally {
    await Promise.all([near.close({ graceMs: 0 }), far.close({ graceMs: 0 })])
  }
})

test.serial('a closing engine also waits for a handler at work whose connection has ended', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const taken = signal()
    const go = signal()
    let isDone = false
    const listener = await transport.listen(async (connection) => {
      for await (const frame of connection) {
        taken.resolve()
        await go.promise
        isDone = frame.length > 0
      }
    })
    const connection = await transport.connect()
    connection.send('store this')
    await taken.promise
    connection.destroy()
    await connection.closed
    while (engine.stats().connections > 0) await turns()
    const closing = engine.close({ graceMs: GRACE_MS })
    await listener.closed
    await turns(3)
    // If there were nothing to wait for, its threads would be ending by now.
    t.is(engine.stats().shards[0]?.state, 'up')
    go.resolve()
    await closing
    t.true(isDone)
  })
})

test.serial('a handler may use other connections while its engine closes', async (t) => {
  await withEngine(t, async (engine) => {
    const back = engine.transport(`memory:${randomName()}`)
    const front = engine.transport(`memory:${randomName()}`)
    await back.listen((connection) => {
      connection.subscribe((frame) => void connection.send(`back ${String(frame)}`))
    })
    const upstream = await back.connect()
    const taken = signal()
    const go = signal()
    await front.listen((connection) => {
      connection.subscribe(async (frame) => {
        taken.resolve()
        await go.promise
        upstream.send(frame)
        connection.send((await upstream.receive()) ?? 'nothing')
      })
    })
    const client = await front.connect()
    client.send('a')
    await taken.promise
    const closing = engine.close({ graceMs: GRACE_MS })
    await turns(3)
    go.resolve()
    t.is(String(await client.receive()), 'back a')
    await closing
  })
})

test.serial('peers that keep sending do not delay the end of an engine', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    await transport.listen((connection) => {
      connection.subscribe(async (frame) => {
        await turns()
        connection.send(frame)
      })
    })
    const client = await transport.connect()
    // Its own reply asks the next question, for as long as it can.
    client.subscribe((frame) => void client.send(frame))
    for (let i = 0; i < 100; i++) client.send('again')
    // Both ends are in this engine; an untaken one is cut when its listener closes.
    await until(() => engine.stats().connections === 2)
    await turns(5)
    t.is((await engine.close({ graceMs: GRACE_MS })).leaked, 0)
    t.is((await client.closed).code, 'OK')
  })
})

test.serial('a handler that never settles costs graceMs, but the other connections close before that', async (t) => {
  t.timeout(WATCHDOG_MS)
  const clock = new ManualClock((ms) => ms === 4_000 || ms === 3_000)
  const engine = await startEngine({ shards: 1 }, clock)
  const transport = engine.transport(`memory:${randomName()}`)
  const worker = new Worker()
  await transport.listen(worker.serve)
  const stuck = await transport.connect()
  const idle = await transport.connect()
  stuck.send('a')
  await worker.taken.promise
  await until(() => engine.stats().connections === 4)
  const closing = engine.close({ graceMs: 4_000 })
  await turns(10)
  t.deepEqual([...clock.armed].sort(), [3_000, 4_000])
  clock.advance(3_000)
  t.deepEqual(await idle.closed, { code: 'OK' })
  clock.advance(1_000)
  t.is((await closing).leaked, 0)
  t.is((await stuck.closed).code, 'ERR_ENGINE_CLOSED')
  worker.go.resolve()
  await turns(3)
})

/** Serves one connection with `serve` and closes the engine while that is at work; returns what the peer received. */
async function closeDuring(
  t: ExecutionContext,
  serve: (connection: Connection, taken: Signal<void>, go: Signal<void>) => unknown,
  options: TransportOptions = {},
): Promise<string[]> {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1 })
  try {
    const transport = engine.transport(`memory:${randomName()}`, options)
    const taken = signal()
    const go = signal()
    const listener = await transport.listen((connection) => serve(connection, taken, go))
    const client = await transport.connect()
    const received = receiveToEnd(client)
    client.send('{"jsonrpc":"1"}')
    client.send('{"jsonrpc":"2"}')
    await taken.promise
    const closing = engine.close({ graceMs: GRACE_MS })
    // By then only work delays the end of the connections.
    await listener.closed
    await turns(3)
    go.resolve()
    t.is((await closing).leaked, 0)
    return (await received).map(String)
  } finally {
    await engine.close({ graceMs: 0 })
  }
}

test.serial('a handler that read `closed` before it sent, and awaits it, is not at work', async (t) => {
  const sent = await closeDuring(t, async (connection, taken) => {
    const gone = connection.closed
    connection.send('hello')
    await connection.receive()
    connection.send('bye')
    taken.resolve()
    await gone
  })
  t.deepEqual(sent, ['hello', 'bye'])
})

test.serial('a handler that has read `closed` and does not await it yet is at work', async (t) => {
  const sent = await closeDuring(t, async (connection, taken, go) => {
    const gone = connection.closed
    connection.send('hello')
    taken.resolve()
    await go.promise
    connection.send('bye')
    await gone
  })
  t.deepEqual(sent, ['hello', 'bye'])
})

test.serial('a closing engine waits for callbacks of a JSON-RPC reader, which delay no message', async (t) => {
  const sent = await closeDuring(t, (connection, taken, go) => {
    const { reader, writer } = toJsonRpc(connection)
    reader.listen(async ({ jsonrpc }) => {
      if (jsonrpc === '2') taken.resolve()
      await go.promise
      await writer.write({ jsonrpc: `re: ${jsonrpc}` })
    })
  })
  t.deepEqual(sent, ['{"jsonrpc":"re: 1"}', '{"jsonrpc":"re: 2"}'])
})

test.serial('so it does if the reader is on a reconnecting connection', async (t) => {
  t.timeout(WATCHDOG_MS)
  const [near, far] = [await createEngine({ shards: 1 }), await createEngine({ shards: 1 })]
  const endpoint = `local:${randomName()}`
  try {
    const listener = await far.transport(endpoint).listen()
    const { reader, writer } = toJsonRpc(near.transport(endpoint).reconnecting())
    const peer = await listener.accept()
    if (peer === undefined) throw new Error('the listener closed')
    const taken = signal()
    const go = signal()
    reader.listen(async ({ jsonrpc }) => {
      taken.resolve()
      await go.promise
      await writer.write({ jsonrpc: `re: ${jsonrpc}` })
    })
    const received = receiveToEnd(peer)
    peer.send('{"jsonrpc":"1"}')
    await taken.promise
    const closing = near.close({ graceMs: GRACE_MS })
    await turns(3)
    go.resolve()
    t.deepEqual((await received).map(String), ['{"jsonrpc":"re: 1"}'])
    t.is((await closing).leaked, 0)
  } finally {
    await Promise.all([near.close({ graceMs: 0 }), far.close({ graceMs: 0 })])
  }
})

test.serial('a subscriber fails if looking at its promise throws', async (t) => {
  const failures = new FailureBook()
  await withEngine(
    t,
    async (engine) => {
      const transport = engine.transport(`memory:${randomName()}`)
      await transport.listen((connection) => {
        connection.subscribe(() => Object.defineProperty(Promise.resolve(), 'constructor', { get: digest }))
      })
      const client = await transport.connect()
      client.send('poison')
      await client.closed
      t.deepEqual(failures.takeTold(), ['subscriber: cannot digest'])
    },
    { onError: failures.onError },
  )
})
