/** Handler modules through the public API: options, what a module gets, its life, and what main sees of it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  createEngine,
  type Connection,
  type ConnectionEvent,
  type Engine,
  type EngineOptions,
  type HandlerFailedEvent,
  type HandlerListenOptions,
  type HandlerLogEntry,
} from '../../api/index.js'
import type { WitnessApi } from '../fixtures/handlers/witness.js'
import { rejects } from '../helpers/expected-errors.js'
import { FailureBook } from '../helpers/failure-book.js'
import { digestOf, framesOf, receiveMany, receiveToEnd, sendAll } from '../helpers/frames.js'
import { rawFrame } from '../helpers/raw-frames.js'
import { makeTemporaryFolder, pathOf, randomName } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { apiOn, socketEndpoint, witness, witnessModule, WitnessSteps } from '../helpers/witness.js'

const WATCHDOG_MS = 15_000
/** Longer than the watchdog lets a test run. */
const GRACE_MS = 60_000

failOnWarnings()

interface Place {
  readonly engine: Engine
  /** An endpoint that every shard listens on. */
  readonly endpoint: string
  readonly failures: FailureBook
}

async function withEngine(
  t: ExecutionContext,
  body: (place: Place) => Promise<void>,
  options: EngineOptions = {},
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const failures = new FailureBook()
  const engine = await createEngine({ shards: 1, onError: failures.onError, ...options })
  const { endpoint, remove } = await socketEndpoint()
  try {
    await body({ engine, endpoint, failures })
  } finally {
    const report = await engine.close({ graceMs: 0 })
    t.is(report.leaked, 0, JSON.stringify(report.byKind))
    t.deepEqual(failures.takeTold(), [])
    await remove()
  }
}

async function hasLeft(connection: Connection): Promise<string> {
  connection.send('ping')
  return String(await connection.receive())
}

const misfits: readonly (readonly [string, unknown, RegExp])[] = [
  ['an empty handler', { handler: '' }, /handler.*file URL or an absolute path/],
  ['a relative path', { handler: './serve.js' }, /handler.*import\.meta\.url/],
  ['the name of a package', { handler: 'serve' }, /handler/],
  ['an http URL', { handler: 'http://localhost/serve.js' }, /handler/],
  ['a URL object of http', { handler: new URL('https://localhost/serve.js') }, /handler/],
  ['a handler that is no text', { handler: 7 }, /handler/],
  ['no handler', {}, /handler/],
  ['data that cannot be cloned', { handler: witnessModule, data: { f: () => 1 } }, /data.*each shard gets a copy/],
  ['a host that is no object', { handler: witnessModule, host: 'x' }, /host/],
  ['an onLog that is no function', { handler: witnessModule, onLog: {} }, /onLog/],
  ['an onError that is no function', { handler: witnessModule, onError: 1 }, /onError/],
  ['a negative time for the set-up', { handler: witnessModule, setupTimeoutMs: -1 }, /setupTimeoutMs/],
  [
    'a time for the teardown that is no number',
    { handler: witnessModule, teardownTimeoutMs: '5' },
    /teardownTimeoutMs/,
  ],
  ['an unknown option', { handler: witnessModule, hander: 1 }, /hander/],
]

test.serial('listen() refuses options that are wrong, by name, before anything happens', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const transport = engine.transport(endpoint)
    const { opened } = engine.stats().ledger
    for (const [what, options, says] of misfits) {
      const error = await rejects(t, transport.listen(options as HandlerListenOptions), 'ERR_INVALID_OPTION')
      t.regex(error.message, says, what)
    }
    t.is(engine.stats().ledger.opened, opened)
    t.is(engine.stats().listeners, 0)
  })
})

test.serial('a module is named by a URL, its text, or an absolute path', async (t) => {
  await withEngine(t, async ({ engine }) => {
    for (const handler of [witnessModule, witnessModule.href, fileURLToPath(witnessModule)]) {
      const transport = engine.transport(`memory:${randomName()}`)
      await transport.listen({ handler, data: {}, host: new WitnessSteps() })
      t.is(await hasLeft(await transport.connect()), 'ping')
    }
  })
})

test.serial('a module that cannot serve is refused by a message that says which, and nothing is left', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const folder = await makeTemporaryFolder()
    const write = async (name: string, source: string): Promise<string> => {
      const path = `${folder.path}/${name}`
      await fs.writeFile(path, source)
      return path
    }
    const cases: readonly (readonly [string, RegExp])[] = [
      [await write('missing-default.mjs', 'export const x = 1'), /missing-default\.mjs.*default export/s],
      [await write('odd-setup.mjs', 'export default () => 1; export const setup = 1'), /odd-setup\.mjs.*export setup/s],
      [
        await write('bad-setup.mjs', "export default () => 1; export function setup() { throw new Error('no disk') }"),
        /bad-setup\.mjs.*setup\(\).*no disk/s,
      ],
      [
        await write('bad-api.mjs', "export default () => 1; export function api() { throw new Error('no way') }"),
        /bad-api\.mjs.*api\(\).*no way/s,
      ],
      [await write('throws.mjs', "throw new Error('at import')"), /throws\.mjs.*at import/s],
      [`${folder.path}/nowhere.mjs`, /nowhere\.mjs/],
    ]
    try {
      for (const [handler, says] of cases) {
        const error = await rejects(t, engine.transport(endpoint).listen({ handler }), 'ERR_HANDLER_LOAD')
        t.regex(error.message, says)
        t.is(error.endpoint, endpoint)
        t.true(error.cause instanceof Error, handler)
      }
      t.is(engine.stats().listeners, 0)
      // The endpoint is free again.
      const { transport } = await witness(engine, endpoint)
      t.is(await hasLeft(await transport.connect()), 'ping')
    } finally {
      await folder.remove()
    }
  })
})

test.serial('each shard gets a copy of data, and memory in it is shared', async (t) => {
  await withEngine(
    t,
    async ({ engine, endpoint }) => {
      const shared = new SharedArrayBuffer(4)
      const words = ['given']
      const { listener } = await witness(engine, endpoint, { words, shared })
      words.push('later')
      for (const { api } of listener.handlers) await api.change()
      for (const { shard, api } of listener.handlers) {
        t.deepEqual((await api.about()).data.words, ['given', `of shard ${String(shard)}`])
      }
      t.deepEqual(words, ['given', 'later'])
      t.is(new Int32Array(shared)[0], 2)
    },
    { shards: 2 },
  )
})

test.serial('the context says where the module serves', async (t) => {
  await withEngine(
    t,
    async ({ engine, endpoint }) => {
      const { listener } = await witness(engine, endpoint, { words: ['a'] })
      const about = await Promise.all(listener.handlers.map(({ api }) => api.about()))
      t.deepEqual(
        about,
        [0, 1].map((shard) => ({
          data: { words: ['a'] },
          state: { setups: 1 },
          endpoint,
          shard,
          generation: 1,
          isAborted: false,
          isFrozen: true,
        })),
      )
      t.deepEqual(
        listener.handlers.map(({ shard, generation }) => [shard, generation]),
        [
          [0, 1],
          [1, 1],
        ],
      )
    },
    { shards: 2 },
  )
})

for (const by of ['listener', 'engine'] as const) {
  test.serial(`the signal aborts when the ${by} begins to close, while connections live`, async (t) => {
    await withEngine(t, async ({ engine, endpoint }) => {
      const { transport, listener } = await witness(engine, endpoint, { serve: 'slow' })
      const api = apiOn(listener)
      const connection = await transport.connect()
      connection.send('a')
      await api.taken()
      const aborted = api.aborted()
      const closing = by === 'listener' ? listener.close() : engine.close({ graceMs: GRACE_MS })
      t.is(await aborted, 'ERR_CLOSED')
      await api.go()
      t.is(String(await connection.receive()), 're: a')
      connection.destroy()
      await closing
    })
  })
}

test.serial('set-up is over before listen() resolves, and teardown before the engine has closed', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const host = new WitnessSteps()
    const transport = engine.transport(endpoint)
    let isListening = false
    const listening = transport
      .listen<WitnessApi>({ handler: witnessModule, data: { setup: 'wait' }, host })
      .then((listener) => {
        isListening = true
        return listener
      })
    await until(() => host.steps.length === 1)
    await turns(5)
    t.false(isListening)
    await t.throwsAsync(transport.connect())
    host.open.resolve()
    const listener = await listening
    t.deepEqual(host.steps, ['setup begins', 'setup ends'])
    const connection = await transport.connect()
    t.is(await hasLeft(connection), 'ping')
    await listener.close()
    await turns(5)
    t.is(host.steps.length, 2, 'a connection lives')
    t.is(await hasLeft(connection), 'ping')
    await connection.close()
    await until(() => host.steps.length === 4)
    t.deepEqual(host.steps.slice(2), ['teardown begins', 'teardown ends'])
    await until(() => listener.handlers.length === 0)
    const other = await witness(engine, endpoint)
    await engine.close()
    t.deepEqual(other.host.steps, ['setup begins', 'setup ends', 'teardown begins', 'teardown ends'])
  })
})

test.serial('several listeners have one module in a shard, and a context each', async (t) => {
  await withEngine(t, async ({ engine }) => {
    const first = await witness(engine, `memory:${randomName()}`, { words: ['first'] })
    const second = await witness(engine, `memory:${randomName()}`, { words: ['second'] })
    const [one, other] = [await apiOn(first.listener).about(), await apiOn(second.listener).about()]
    // A counter of the module's: it was loaded once.
    t.deepEqual([one.state.setups, other.state.setups], [1, 2])
    t.deepEqual([one.data.words, other.data.words], [['first'], ['second']])
    await first.listener.close()
    await until(() => first.listener.handlers.length === 0)
    t.is(await hasLeft(await second.transport.connect()), 'ping')
  })
})

for (const way of ['aborted', 'timed out', 'closed with its engine'] as const) {
  test.serial(`a listen() that is ${way} while setup() hangs leaves nothing`, async (t) => {
    await withEngine(t, async ({ engine, endpoint }) => {
      const host = new WitnessSteps()
      const abort = new AbortController()
      const data = { setup: 'wait' } as const
      const timeoutMs = way === 'timed out' ? 50 : undefined
      const listening = engine
        .transport(endpoint)
        .listen({ handler: witnessModule, data, host, signal: abort.signal, timeoutMs })
      const code = {
        aborted: 'ERR_ABORTED',
        'timed out': 'ERR_TIMEOUT',
        'closed with its engine': 'ERR_ENGINE_CLOSED',
      } as const
      const failing = rejects(t, listening, code[way])
      await until(() => host.steps.length === 1)
      if (way === 'aborted') abort.abort()
      const closed = way === 'closed with its engine' ? engine.close() : undefined
      await failing
      host.open.resolve()
      if (closed === undefined) {
        // What was set up too late is torn down.
        await until(() => host.steps.includes('teardown ends') || engine.stats().listeners === 0)
        const { transport } = await witness(engine, endpoint)
        t.is(await hasLeft(await transport.connect()), 'ping')
      }
      await closed
    })
  })
}

test.serial('a setup() that is over too late fails listen() with what it waited for', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const listening = witness(engine, endpoint, { setup: 'hang' }, { setupTimeoutMs: 20 })
    const error = await rejects(t, listening, 'ERR_HANDLER_LOAD')
    t.regex(error.message, /setupTimeoutMs/)
    t.is(error.endpoint, endpoint)
  })
})

test.serial('a teardown that fails is told to onError', async (t) => {
  const ofListener = new FailureBook()
  await withEngine(t, async ({ engine, endpoint }) => {
    const { listener } = await witness(engine, endpoint, { teardown: 'fail' }, { onError: ofListener.onError })
    await listener.close()
    await until(() => listener.handlers.length === 0)
    const [{ error, context } = {}, ...more] = ofListener.take()
    t.deepEqual(context, { where: 'teardown', endpoint, connection: undefined })
    t.is((error?.cause as Error).message, 'stuck file')
    t.is(more.length, 0)
  })
})

test.serial('the module calls main, and errors keep their code and cause', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const { listener } = await witness(engine, endpoint)
    const api = apiOn(listener)
    t.is(await api.add(19, 23), 42)
    t.deepEqual(await api.failingCall('fail'), {
      name: 'RangeError',
      message: 'too far',
      code: 'E_FAR',
      cause: 'the cause',
    })
    const missing = await api.failingCall('missing')
    t.is(missing.code, 'ERR_INVALID_OPTION')
    t.regex(missing.message, /"missing".*told, gate, add, fail|"missing"/)
  })
})

test.serial('main calls the module on each shard, and errors keep their code and cause', async (t) => {
  await withEngine(
    t,
    async ({ engine, endpoint }) => {
      const { listener } = await witness(engine, endpoint)
      const shards = await Promise.all(listener.handlers.map(async ({ api }) => (await api.about()).shard))
      t.deepEqual(shards, [0, 1])
      const error = await t.throwsAsync(apiOn(listener, 1).fail(), { instanceOf: TypeError, code: 'E_TIRED' })
      t.is(error.message, 'not today')
      t.is((error.cause as Error).message, 'tired')
      t.regex(error.stack ?? '', /witness/)
      const pending = rejects(t, apiOn(listener, 0).never(), 'ERR_CLOSED')
      const { api } = listener.handlers[0] ?? {}
      await listener.close()
      await pending
      await until(() => listener.handlers.length === 0)
      await rejects(t, api?.about() ?? Promise.resolve(), 'ERR_CLOSED')
    },
    { shards: 2 },
  )
})

test.serial('what the module logs goes to onLog, or else to the diagnostics channel', async (t) => {
  const published: HandlerLogEntry[] = []
  const onMessage = (message: unknown): void => void published.push(message as HandlerLogEntry)
  const name = 'symphony-transport:handler.log'
  subscribe(name, onMessage)
  try {
    await withEngine(t, async ({ engine, endpoint }) => {
      const before = Date.now()
      const logged: HandlerLogEntry[] = []
      const own = await witness(engine, endpoint, {}, { onLog: (entry) => logged.push(entry) })
      await apiOn(own.listener).log(3)
      await until(() => logged.length === 3)
      const [{ at, ...first } = { at: 0 }] = logged
      const line = { level: 'warn', message: 'line 0', details: { i: 0 }, shard: 0, generation: 1 }
      t.deepEqual(first, { ...line, endpoint })
      t.true(at >= before && at <= Date.now())
      t.deepEqual(published, [])
      const memory = `memory:${randomName()}`
      const other = await witness(engine, memory)
      await apiOn(other.listener).log(1)
      await until(() => published.length === 1)
      t.deepEqual({ ...published[0], at: 0 }, { ...line, endpoint: memory, at: 0 })
    })
  } finally {
    unsubscribe(name, onMessage)
  }
})

test.serial('an onLog that fails is told to onError', async (t) => {
  const ofListener = new FailureBook()
  await withEngine(t, async ({ engine, endpoint }) => {
    const onLog = (): never => {
      throw new Error('the log is full')
    }
    const { listener } = await witness(engine, endpoint, {}, { onLog, onError: ofListener.onError })
    await apiOn(listener).log(1)
    const told: string[] = []
    while (told.length === 0) {
      await turns()
      told.push(...ofListener.takeTold())
    }
    t.deepEqual(told, ['onLog: the log is full'])
  })
})

test.serial('a failing module is told to onError and to observers, with the stack that it had', async (t) => {
  const ofListener = new FailureBook()
  const events: HandlerFailedEvent[] = []
  const onMessage = (message: unknown): void => void events.push(message as HandlerFailedEvent)
  const name = 'symphony-transport:handler.failed'
  subscribe(name, onMessage)
  try {
    await withEngine(t, async ({ engine, endpoint }) => {
      const { transport } = await witness(engine, endpoint, { serve: 'fail' }, { onError: ofListener.onError })
      const connection = await transport.connect()
      await connection.closed
      await until(() => events.length === 1)
      const [{ error, context } = {}, ...more] = ofListener.take()
      t.is(more.length, 0)
      t.is(error?.code, 'ERR_HANDLER')
      t.is(context?.where, 'module')
      t.is(context?.endpoint, endpoint)
      const cause = error?.cause as Error
      t.is(cause.message, 'cannot digest')
      t.regex(cause.stack ?? '', /brokenHandler.*witness/s)
      const [event] = events
      t.is(event?.error, error)
      t.deepEqual([event?.endpoint, event?.shard, event?.generation], [endpoint, 0, 1])
      t.is(event?.connection, context?.connection)
      t.is(typeof event?.connection, 'string')
    })
  } finally {
    unsubscribe(name, onMessage)
  }
})

test.serial('without onError a failing module is reported to the engine', async (t) => {
  const ofEngine = new FailureBook()
  await withEngine(
    t,
    async ({ engine, endpoint }) => {
      const { transport } = await witness(engine, endpoint, { serve: 'fail' })
      await (
        await transport.connect()
      ).closed
      const told: string[] = []
      while (told.length === 0) {
        await turns()
        told.push(...ofEngine.takeTold())
      }
      t.deepEqual(told, ['module: cannot digest'])
    },
    { onError: ofEngine.onError },
  )
})

test.serial('statistics count connections, frames and bytes of each shard', async (t) => {
  await withEngine(
    t,
    async ({ engine, endpoint }) => {
      const { transport, listener } = await witness(engine, endpoint)
      t.deepEqual(
        engine.stats().shards.map(({ handlers }) => handlers),
        Array.from({ length: 2 }, () => ({ connections: 0, frames: 0, bytes: 0, busyMs: 0 })),
      )
      const connections = await Promise.all(Array.from({ length: 6 }, () => transport.connect()))
      const frames = framesOf([10, 20, 3_000])
      for (const connection of connections) {
        await sendAll(connection, frames)
        t.is(digestOf(await receiveMany(connection, 3)), digestOf(frames))
      }
      t.deepEqual(listener.stats(), { accepted: 6, open: 6, refused: 0, queued: 0 })
      const sum = (what: 'connections' | 'frames' | 'bytes' | 'busyMs'): number =>
        engine.stats().shards.reduce((total, { handlers }) => total + handlers[what], 0)
      await until(() => sum('frames') === 18)
      t.deepEqual([sum('connections'), sum('bytes')], [6, 6 * 3_030])
      t.true(sum('busyMs') > 0)
      t.is(engine.stats().connections, 12)
      for (const connection of connections.slice(0, 2)) await connection.close()
      await until(() => listener.stats().open === 4 && sum('connections') === 4)
      t.is(listener.stats().accepted, 6)
      t.is(sum('frames'), 18)
    },
    { shards: 2 },
  )
})

test.serial('maxConnections is of all shards together', async (t) => {
  await withEngine(
    t,
    async ({ engine, endpoint }) => {
      const { transport, listener } = await witness(engine, endpoint, {}, {}, { maxConnections: 3 })
      const dials = 12
      const all = await Promise.all(Array.from({ length: dials }, () => transport.connect()))
      await until(() => listener.stats().open + listener.stats().refused === dials)
      const { open, accepted, refused } = listener.stats()
      // Two that come at the same moment may both be refused for the last place; there are never more.
      t.true(open <= 3 && accepted === open && refused === dials - open)
      const isServed = await Promise.all(
        all.map(async (connection) => {
          try {
            return (await hasLeft(connection)) === 'ping'
          } catch {
            return false
          }
        }),
      )
      t.is(isServed.filter(Boolean).length, open)
    },
    { shards: 2 },
  )
})

test.serial('ids of connections are unique within the process', async (t) => {
  const ids: string[] = []
  const onMessage = (message: unknown): void => void ids.push((message as ConnectionEvent).id)
  const name = 'symphony-transport:connection.opened'
  subscribe(name, onMessage)
  try {
    await withEngine(
      t,
      async ({ engine, endpoint }) => {
        await withEngine(t, async (other) => {
          const places = [
            { engine, endpoint },
            { engine: other.engine, endpoint: other.endpoint },
          ]
          for (const place of places) {
            const { transport } = await witness(place.engine, place.endpoint)
            const main = place.engine.transport(`memory:${randomName()}`)
            await main.listen(() => undefined)
            for (let i = 0; i < 5; i++) {
              t.is(await hasLeft(await transport.connect()), 'ping')
              await main.connect()
            }
          }
          await until(() => ids.length === 40)
        })
      },
      { shards: 2 },
    )
    t.is(new Set(ids).size, 40)
  } finally {
    unsubscribe(name, onMessage)
  }
})

test.serial('listener.close({graceMs}) waits for handlers at work, and connections live on', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const { transport, listener } = await witness(engine, endpoint, { serve: 'slow' })
    const api = apiOn(listener)
    const connection = await transport.connect()
    connection.send('a')
    await api.taken()
    let isClosed = false
    const closing = listener.close({ graceMs: GRACE_MS }).then((info) => {
      isClosed = true
      return info
    })
    await listener.closed
    await turns(3)
    t.false(isClosed)
    await api.go()
    t.deepEqual(await closing, { code: 'OK' })
    t.is(String(await connection.receive()), 're: a')
    connection.send('b')
    t.is(String(await connection.receive()), 're: b')
    await rejects(t, listener.close({ graceMs: -1 }), 'ERR_INVALID_OPTION')
  })
})

test.serial('graceMs bounds how long a listener waits', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const { transport, listener } = await witness(engine, endpoint, { serve: 'slow' })
    const api = apiOn(listener)
    const connection = await transport.connect()
    connection.send('a')
    await api.taken()
    t.deepEqual(await listener.close({ graceMs: 5 }), { code: 'OK' })
    await api.go()
    t.is(String(await connection.receive()), 're: a')
  })
})

test.serial('an engine that closes lets the frames of its modules leave, however slow their readers', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const { transport, listener } = await witness(engine, endpoint)
    const reader = await createEngine({ shards: 1 })
    try {
      const connection = await reader.transport(endpoint).connect()
      const frames = framesOf([3_000_000, 5, 1_000_000])
      // The peer reads only when the engine is closing: the echo waits in the shard.
      for (const frame of frames) connection.send(frame)
      await until(() => (engine.stats().shards[0]?.handlers.frames ?? 0) === frames.length)
      const closing = engine.close({ graceMs: GRACE_MS })
      await listener.closed
      t.is(digestOf(await receiveToEnd(connection)), digestOf(frames))
      t.is((await closing).leaked, 0)
    } finally {
      await reader.close({ graceMs: 0 })
    }
    await rejects(t, transport.connect(), 'ERR_ENGINE_CLOSED')
  })
})

test.serial('a module at work when its engine closes may still use connections of main', async (t) => {
  await withEngine(t, async ({ engine, endpoint }) => {
    const back = engine.transport(`memory:${randomName()}`)
    await back.listen((connection) => {
      connection.subscribe((frame) => void connection.send(`back ${String(frame)}`))
    })
    const upstream = await back.connect()
    const host = new WitnessSteps()
    const asking = { ...host, gate: async () => void (await host.gate()), told: () => undefined }
    const source = `
      export default (connection, { host }) => {
        connection.subscribe(async (frame) => connection.send(await host.ask(String(frame))))
      }`
    const folder = await makeTemporaryFolder()
    const path = `${folder.path}/asking.mjs`
    await fs.writeFile(path, source)
    try {
      let isAsked = false
      const ask = async (question: string): Promise<string> => {
        isAsked = true
        await asking.gate()
        upstream.send(question)
        return String(await upstream.receive())
      }
      const front = engine.transport(endpoint)
      const listener = await front.listen({ handler: path, host: { ask } })
      const client = await front.connect()
      client.send('a')
      await until(() => isAsked)
      const closing = engine.close({ graceMs: GRACE_MS })
      await listener.closed
      await turns(3)
      host.open.resolve()
      t.is(String(await client.receive()), 'back a')
      await closing
    } finally {
      await folder.remove()
    }
  })
})

test.serial('plain net clients are served like any other', async (t) => {
  await withEngine(
    t,
    async ({ engine, endpoint }) => {
      const { listener } = await witness(engine, endpoint)
      const frames = framesOf([0, 1, 100, 70_000])
      const bytes = Buffer.concat(frames.map((frame) => rawFrame(frame)))
      const clients = Array.from({ length: 8 }, () => net.connect(pathOf(endpoint)))
      const echoes = await Promise.all(
        clients.map(async (client, i) => {
          await once(client, 'connect')
          // In pieces that end anywhere.
          const middle = (i + 1) * 1_001
          client.write(bytes.subarray(0, middle))
          await turns()
          client.write(bytes.subarray(middle))
          const chunks: Buffer[] = []
          for (let length = 0; length < bytes.length;) {
            const [chunk] = (await once(client, 'data')) as [Buffer]
            chunks.push(chunk)
            length += chunk.length
          }
          return Buffer.concat(chunks)
        }),
      )
      t.true(echoes.every((echo) => echo.equals(bytes)))
      const ended = clients.map(async (client) => {
        client.resume()
        client.end()
        await once(client, 'close')
      })
      await Promise.all(ended)
      await until(() => listener.stats().open === 0)
      t.deepEqual(listener.stats(), { accepted: 8, open: 0, refused: 0, queued: 0 })
    },
    { shards: 2 },
  )
})
