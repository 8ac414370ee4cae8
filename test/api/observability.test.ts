/** Events, statistics, traces and the ledger. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test, { type ExecutionContext } from 'ava'
import {
  createEngine,
  diagnosticsChannels,
  observe as observeChannel,
  type ConnectedEvent,
  type ConnectingEvent,
  type Connection,
  type Engine,
  type EngineClosedEvent,
} from '../../api/index.js'
import { ChildProgram, type ChildSettings } from '../helpers/child-program.js'
import { frameOf, receiveMany, sendAll } from '../helpers/frames.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { FailureBook } from '../helpers/failure-book.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 15_000

let folder: TemporaryFolder

failOnWarnings()

const failures = new FailureBook()

test.serial.beforeEach('a new folder', async () => {
  folder = await makeTemporaryFolder()
})

test.serial.afterEach.always('the folder is removed', async () => {
  await folder.remove()
})

interface PublishedEvent {
  readonly event: string
  readonly message: Readonly<Record<string, unknown>>
}

const names = [
  'connection.opened',
  'connection.closed',
  'backpressure.on',
  'backpressure.off',
  'listener.opened',
  'listener.closed',
  'listener.paused',
  'listener.resumed',
  'listener.refused',
]

/** All events of one endpoint while the body runs. */
async function observe(
  endpoint: string,
  body: (published: readonly PublishedEvent[]) => Promise<void>,
): Promise<readonly PublishedEvent[]> {
  const published: PublishedEvent[] = []
  const stops = names.map((event) => {
    const onNotify = (message: unknown): void => {
      const record = message as Readonly<Record<string, unknown>>
      if (record['endpoint'] === endpoint) published.push({ event, message: record })
    }
    subscribe(`symphony-transport:${event}`, onNotify)
    return () => unsubscribe(`symphony-transport:${event}`, onNotify)
  })
  try {
    await body(published)
  } finally {
    for (const stop of stops) stop()
  }
  return published
}

async function withEngine(t: ExecutionContext, body: (engine: Engine) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1, maxRingBytes: 32_768, onError: failures.onError })
  try {
    await body(engine)
  } finally {
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
  }
}

test.serial('the events of a connection and its listener come once, in order, with their ids', async (t) => {
  const path = folder.socketPath()
  const endpoint = `unix:${path}`
  await withEngine(t, async (engine) => {
    const transport = engine.transport(endpoint)
    let ids: string[] = []
    const published = await observe(endpoint, async () => {
      const listener = await transport.listen()
      const dialled = await transport.connect()
      const accepted = await listener.accept()
      ids = [dialled.info.id, accepted?.info.id ?? '']
      await Promise.all([dialled.close(), accepted?.closed])
      await listener.close()
    })
    t.is(published[0]?.event, 'listener.opened')
    t.is(published.at(-1)?.event, 'listener.closed')
    t.deepEqual(published.at(-1)?.message, { engine: engine.id, endpoint, code: 'OK', cause: undefined })
    for (const [i, role] of (['dialled', 'accepted'] as const).entries()) {
      const own = published.filter(({ message }) => message['id'] === ids[i])
      const who = { engine: engine.id, id: ids[i], kind: 'unix', endpoint, role, shard: 0 }
      t.deepEqual(own, [
        { event: 'connection.opened', message: who },
        { event: 'connection.closed', message: { ...who, code: 'OK', cause: undefined } },
      ])
    }
    t.is(published.length, 6)
  })
})

test.serial('the event of a failed connection has its code and its cause', async (t) => {
  const endpoint = `unix:${folder.socketPath()}`
  await withEngine(t, async (engine) => {
    const transport = engine.transport(endpoint)
    const published = await observe(endpoint, async () => {
      const listener = await transport.listen()
      const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
      accepted?.subscribe(() => {
        throw new Error('cannot digest')
      })
      dialled.send('poison')
      await Promise.all([accepted?.closed, dialled.closed])
      await listener.close()
    })
    const closed = published.find(
      ({ event, message }) => event === 'connection.closed' && message['role'] === 'accepted',
    )
    t.is(closed?.message['code'], 'ERR_HANDLER')
    t.is(((closed?.message['cause'] as Error).cause as Error).message, 'cannot digest')
    t.deepEqual(failures.takeTold(), ['subscriber: cannot digest'])
  })
})

test.serial(
  'an attempt to connect is published from its beginning to its end, and the end of the engine',
  async (t) => {
    const settled: ConnectedEvent[] = []
    const begun: ConnectingEvent[] = []
    const ended: EngineClosedEvent[] = []
    const stops: (() => void)[] = []
    const kept: { engine?: Engine } = {}
    try {
      await withEngine(t, async (engine) => {
        kept.engine = engine
        const transport = engine.transport(`unix:${folder.socketPath()}`)
        const unheard = t.throwsAsync(transport.connect())
        stops.push(
          observeChannel(diagnosticsChannels.connectStarted, (event) => begun.push(event)),
          observeChannel(diagnosticsChannels.connectSettled, (event) => settled.push(event)),
          observeChannel(diagnosticsChannels.engineClosed, (event) => ended.push(event)),
        )
        // It began before anybody observed.
        await unheard
        t.deepEqual([begun, settled], [[], []])
        await t.throwsAsync(transport.connect())
        await transport.listen((connection) => void connection.closed)
        await transport.connect()
        const { endpoint } = transport
        const of = [1, 2].map((attempt) => ({ engine: engine.id, attempt, kind: 'unix', endpoint }))
        t.deepEqual(begun, of)
        t.deepEqual(
          settled.map(({ durationMs, cause, ...event }) => ({
            ...event,
            failed: cause !== undefined,
            took: durationMs >= 0,
          })),
          of.map((event, i) => ({ ...event, code: i === 0 ? 'ERR_NOT_FOUND' : 'OK', failed: i === 0, took: true })),
        )
        t.deepEqual(ended, [])
      })
      t.deepEqual(ended, [{ engine: kept.engine?.id, leaked: 0 }])
    } finally {
      for (const stop of stops) stop()
    }
  },
)

for (const kind of ['unix', 'memory'] as const) {
  test.serial(`${kind}: backpressure goes on and off in turn, and is off once the connection is closed`, async (t) => {
    const endpoint = kind === 'unix' ? `unix:${folder.socketPath()}` : 'memory:pressure'
    await withEngine(t, async (engine) => {
      const transport = engine.transport(endpoint)
      let id = ''
      const published = await observe(endpoint, async (sofar) => {
        const listener = await transport.listen()
        const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
        if (accepted === undefined) throw new Error('the listener closed')
        id = dialled.info.id
        const frames = Array.from({ length: 60 }, (_, i) => frameOf(20_000, i))
        for (let round = 0; round < 4; round++) {
          const sending = sendAll(dialled, frames)
          await Promise.all([sending, receiveMany(accepted, frames.length)])
          await until(
            () => sofar.filter(({ event }) => event.startsWith('backpressure')).at(-1)?.event !== 'backpressure.on',
          )
        }
        // Several times false in a row are one backpressure.
        for (let i = 0; i < 100; i++) dialled.send(frameOf(20_000, i))
        dialled.destroy()
        accepted.destroy()
        await Promise.all([dialled.closed, accepted.closed])
        await listener.close()
      })
      const pressure = published.filter(({ event }) => event.startsWith('backpressure'))
      t.true(pressure.length >= 8, String(pressure.length))
      t.is(pressure.length % 2, 0)
      pressure.forEach(({ event, message }, i) => {
        t.is(event, i % 2 === 0 ? 'backpressure.on' : 'backpressure.off')
        t.is(message['id'], id)
        t.is(typeof message['pendingBytes'], 'number')
        if (event === 'backpressure.on') t.true((message['pendingBytes'] as number) > 0)
      })
      const closed = published.findIndex(({ event, message }) => event === 'connection.closed' && message['id'] === id)
      t.true(closed > published.findLastIndex(({ event }) => event.startsWith('backpressure')))
    })
  })
}

test.serial("an observer that comes and goes sees no second 'on' and no 'off' without an 'on'", async (t) => {
  const endpoint = `unix:${folder.socketPath()}`
  await withEngine(t, async (engine) => {
    const transport = engine.transport(endpoint)
    const listener = await transport.listen()
    const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
    if (accepted === undefined) throw new Error('the listener closed')
    let sent = 0
    while (dialled.send(frameOf(20_000, sent++)));
    // It subscribes after this backpressure began, so it gets no end of it.
    const published = await observe(endpoint, async () => {
      await Promise.all([dialled.ready(), receiveMany(accepted, sent)])
    })
    t.deepEqual(published, [])
  })
})

test.serial('the statistics count each send that has found no room', async (t) => {
  const endpoint = 'memory:full-sends'
  await withEngine(t, async (engine) => {
    const transport = engine.transport(endpoint)
    const listener = await transport.listen(() => undefined)
    const connection: Connection = await transport.connect()
    t.is(engine.stats().fullSends, 0)
    while (connection.send(Buffer.alloc(60_000)));
    t.false(connection.sendBatch([Buffer.alloc(1), Buffer.alloc(1)]))
    t.is(engine.stats().fullSends, 2)
    connection.destroy()
    await listener.close()
  })
})

test.serial('the delay of the event loop is sampled under load and not at rest', async (t) => {
  const endpoint = `unix:${folder.socketPath()}`
  await withEngine(t, async (engine) => {
    // Round trips that main makes without the shard are no load for it.
    const transport = engine.transport(endpoint, { inlineWrites: 'never' })
    const listener = await transport.listen((connection) => {
      connection.subscribe((frame) => connection.send(frame), { borrow: true })
    })
    const delay = (): { samples: number; meanMs: number; maxMs: number } => {
      const [shard] = engine.stats().shards
      if (shard === undefined) throw new Error('there is no shard')
      return shard.eventLoopDelay
    }
    t.deepEqual({ ...delay() }, { samples: 0, meanMs: 0, maxMs: 0 })
    const connection: Connection = await transport.connect()
    await turns(50)
    t.is(delay().samples, 0, 'an idle shard takes none')
    while (delay().samples < 3) {
      connection.send('ping')
      await connection.receive()
    }
    const { meanMs, maxMs } = delay()
    t.true(meanMs >= 0 && maxMs >= meanMs && Number.isFinite(maxMs))
    await listener.close()
  })
})

async function run(t: ExecutionContext, fixture: string, settings: ChildSettings) {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start(fixture, [`unix:${folder.socketPath()}`], settings)
  try {
    const exit = await child.exit
    t.is(exit.code, 0, exit.stderr)
    return exit
  } finally {
    child.kill('SIGKILL')
  }
}

test.serial('NODE_DEBUG=symphony-transport prints a trace to stderr, and nothing else does', async (t) => {
  const [traced, quiet, other] = [
    await run(t, 'traced', { env: { NODE_DEBUG: 'symphony-transport' } }),
    await run(t, 'traced', { env: { NODE_DEBUG: undefined } }),
    await run(t, 'traced', { env: { NODE_DEBUG: 'another-package' } }),
  ]
  for (const { lines } of [traced, quiet, other]) t.deepEqual(lines, ['hello'])
  t.is(quiet.stderr, '')
  t.is(other.stderr, '')
  const lines = traced.stderr.trimEnd().split('\n')
  for (const line of lines) t.regex(line, /^SYMPHONY-TRANSPORT \d+: /)
  for (const expected of [
    /shard 0: starting/,
    /listener .*: open/,
    /connection .*: dialled/,
    /closed, OK/,
    /engine: closing/,
  ])
    t.true(
      lines.some((line) => expected.test(line)),
      String(expected),
    )
})

test.serial('observers that throw break nothing, and each is reported', async (t) => {
  const { lines, stderr } = await run(t, 'faulty-observer', {})
  t.is(stderr, '')
  t.deepEqual(lines, [
    'xxxxx',
    'backpressure.off backpressure.on connection.closed connection.opened listener.closed listener.opened listener.refused',
    'leaked 0',
  ])
})

test.serial('while an engine lives its ledger says open; only what close() leaves has leaked', async (t) => {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1 })
  const transport = engine.transport(folder.endpoint())
  const listener = await transport.listen(() => undefined)
  await transport.connect()
  const { ledger } = engine.stats()
  t.false('leaked' in ledger)
  t.is(ledger.open, ledger.opened - ledger.released)
  t.deepEqual(ledger.byKind.listeners, { opened: 1, released: 0, open: 1 })
  t.true(ledger.byKind.connections.open >= 1)
  await listener.close()
  t.deepEqual(engine.stats().ledger.byKind.listeners, { opened: 1, released: 1, open: 0 })
  const report = await engine.close()
  t.false('open' in report)
  t.is(report.leaked, 0)
  t.deepEqual(report.byKind.listeners, { opened: 1, released: 1 })
})

test.serial("no event, error, statistic or trace shows a child's arguments or environment", async (t) => {
  t.timeout(WATCHDOG_MS)
  const secret = 'hunter2'
  const child = ChildProgram.start('secretive', [secret], { env: { NODE_DEBUG: 'symphony-transport' } })
  try {
    const { lines, stderr } = await child.exit
    t.is(lines.at(-1), 'done', stderr)
    const out = lines.join('\n')
    t.regex(out, /ERR_SPAWN/)
    if (process.platform !== 'win32') t.regex(out, /ERR_EXIT/)
    t.regex(stderr, /reconnecting connection .*: attempt failed, Error/)
    t.notRegex(out, new RegExp(secret))
    t.notRegex(stderr, new RegExp(secret))
  } finally {
    child.kill('SIGKILL')
  }
})
