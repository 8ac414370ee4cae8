/** Which frames main writes to a socket itself, by what shards count. */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine, type EngineOptions, type Listener } from '../../api/index.js'
import { withEchoStage } from '../helpers/echo-stage.js'
import { roundTrip, untilInline, writeCounts, writesSince } from '../helpers/inline-traffic.js'
import { nodeProgram } from '../helpers/small-children.js'
import { randomName } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

/** Length of a frame before its payload. */
const HEADER_BYTES = 4
/** Of `inlineWriteBytes`. */
const DEFAULT_BYTES = 4_096
/** More than it takes until a duplicate is asked for. */
const MANY_ROUND_TRIPS = 12
/** A shard that stays awake takes what is published without a wake-up, and main leaves it to that. */
const ASLEEP = { shards: 1, wake: 'park' } as const satisfies EngineOptions

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

/** Frames of these lengths, each in a turn of its own, are one inline write each, and no write of the shard. */
async function assertInline(t: ExecutionContext, engine: Engine, connection: Connection, each = 1): Promise<void> {
  const before = writeCounts(engine)
  const lengths = [1, 40, 0, 700, 1_500]
  for (const length of lengths) t.is((await roundTrip(connection, Buffer.alloc(length, 'x'))).length, length)
  const bytes = lengths.reduce((sum, length) => sum + length + HEADER_BYTES, 0)
  t.deepEqual(writesSince(engine, before), {
    inlineWrites: each * lengths.length,
    inlineBytesWritten: each * bytes,
    writes: 0,
    bytesWritten: 0,
  })
}

/** Nothing was written by main, nor was a duplicate asked for. */
async function assertNeverInline(t: ExecutionContext, engine: Engine, connection: Connection): Promise<void> {
  for (let i = 0; i < MANY_ROUND_TRIPS; i++) await roundTrip(connection)
  const { inlineWrites, inlineBytesWritten, writes } = writeCounts(engine)
  t.deepEqual([inlineWrites, inlineBytesWritten], [0, 0])
  t.true(writes >= MANY_ROUND_TRIPS)
  t.is(engine.stats().ledger.byKind.duplicates.opened, 0)
}

onUnix(
  'unix: after some round trips each frame to a plain socket is one inline write, and no write of the shard',
  async (t) => {
    await withEchoStage(t, {}, async ({ engine, connect }) => {
      const connection = await connect()
      await untilInline(engine, connection)
      await assertInline(t, engine, connection)
      t.is(engine.stats().ledger.byKind.duplicates.open, 1)
      await connection.close()
      t.is(engine.stats().ledger.byKind.duplicates.open, 0)
    })
  },
)

onUnix('unix: both ends of a connection of two engines write inline', async (t) => {
  await withEchoStage(t, {}, async ({ engine, folder }) => {
    const other = await createEngine(ASLEEP)
    try {
      const endpoint = folder.endpoint()
      await other.transport(endpoint).listen(echoTo)
      const connection = await engine.transport(endpoint).connect()
      await untilInline(engine, connection)
      await untilInline(other, connection)
      for (const one of [engine, other]) await assertInline(t, one, connection)
    } finally {
      t.is((await other.close({ graceMs: 0 })).leaked, 0)
    }
  })
})

onUnix('unix: both ends of a connection within one engine write inline', async (t) => {
  await withEchoStage(t, {}, async ({ engine, folder }) => {
    const transport = engine.transport(folder.endpoint())
    await transport.listen(echoTo)
    const connection = await transport.connect()
    await untilInline(engine, connection, 2)
    await assertInline(t, engine, connection, 2)
  })
})

onUnix('a child is written to inline, and its end is clean', async (t) => {
  await withEchoStage(t, {}, async ({ engine }) => {
    const connection = await engine.transport(nodeProgram('echo-child', [])).connect()
    await untilInline(engine, connection)
    await assertInline(t, engine, connection)
    t.deepEqual(await connection.close(), { code: 'OK', exitCode: 0, signal: null })
  })
})

onUnix('frames that are sent in one turn leave in one inline write, in their order', async (t) => {
  await withEchoStage(t, {}, async ({ engine, connect }) => {
    const connection = await connect()
    await untilInline(engine, connection)
    const before = writeCounts(engine)
    const frames = ['first', '', 'third', 'fourth'.repeat(100)]
    for (const frame of frames) connection.send(frame)
    for (const frame of frames) t.is(String(await connection.receive()), frame)
    const { inlineWrites, inlineBytesWritten, writes } = writesSince(engine, before)
    const bytes = frames.reduce((sum, frame) => sum + frame.length + HEADER_BYTES, 0)
    t.deepEqual([inlineWrites, inlineBytesWritten, writes], [1, bytes, 0])
  })
})

for (const [title, engineOptions, transportOptions] of [
  ["inlineWrites 'never' of the engine", { inlineWrites: 'never' }, {}],
  ["inlineWrites 'never' of the transport", {}, { inlineWrites: 'never' }],
] as const) {
  onUnix(`${title}: only the shard writes, and no duplicate is taken`, async (t) => {
    await withEchoStage(t, engineOptions, async ({ engine, connect }) => {
      await assertNeverInline(t, engine, await connect(transportOptions))
    })
  })
}

onUnix("a transport's inlineWrites 'auto' counts in an engine whose own is 'never'", async (t) => {
  await withEchoStage(t, { inlineWrites: 'never' }, async ({ engine, connect }) => {
    const connection = await connect({ inlineWrites: 'auto' })
    await untilInline(engine, connection)
    await assertInline(t, engine, connection)
  })
})

for (const framing of ['line', 'length-be', 'content-length'] as const) {
  onUnix(`${framing}: only the shard writes what it has to translate`, async (t) => {
    await withEchoStage(t, {}, async ({ engine, connect }) => {
      await assertNeverInline(t, engine, await connect({ framing }))
    })
  })
}

test.serial('memory: there is no socket, so only the shard writes', async (t) => {
  await withEchoStage(t, {}, async ({ engine }) => {
    const transport = engine.transport(`memory:${randomName()}`)
    await transport.listen(echoTo)
    await assertNeverInline(t, engine, await transport.connect())
  })
})

for (const [title, options, limit] of [
  ['the default', {}, DEFAULT_BYTES],
  ['the engine', { inlineWriteBytes: 600 }, 600],
] as const) {
  onUnix(
    `by ${title} a frame of ${String(limit)} bytes with its length is written inline, and one more is not`,
    async (t) => {
      await withEchoStage(t, options, async ({ engine, connect }) => {
        const connection = await connect()
        await untilInline(engine, connection)
        const largest = Buffer.alloc(limit - HEADER_BYTES)
        const written = async (frames: readonly Buffer[]): Promise<readonly number[]> => {
          const before = writeCounts(engine)
          for (const frame of frames) connection.send(frame)
          for (const frame of frames) t.is((await connection.receive())?.length, frame.length)
          const { inlineBytesWritten, bytesWritten } = writesSince(engine, before)
          return [inlineBytesWritten, bytesWritten]
        }
        t.deepEqual(await written([largest]), [limit, 0])
        t.deepEqual(await written([Buffer.alloc(limit - HEADER_BYTES + 1)]), [0, limit + 1])
        // What a turn has sent counts together.
        const half = Buffer.alloc(limit / 2)
        t.deepEqual(await written([half, half]), [0, limit + 2 * HEADER_BYTES])
        t.deepEqual(await written([Buffer.from('small')]), [5 + HEADER_BYTES, 0])
      })
    },
  )
}

onUnix("a transport's inlineWriteBytes counts before its engine's", async (t) => {
  await withEchoStage(t, { inlineWriteBytes: 600 }, async ({ engine, connect }) => {
    const connection = await connect({ inlineWriteBytes: 64 })
    await untilInline(engine, connection)
    const before = writeCounts(engine)
    await roundTrip(connection, Buffer.alloc(61))
    t.deepEqual(writesSince(engine, before), { inlineWrites: 0, inlineBytesWritten: 0, writes: 1, bytesWritten: 65 })
  })
})

onUnix('of many connections that send in one turn none writes inline, of two both do', async (t) => {
  await withEchoStage(t, {}, async ({ engine, connect }) => {
    const connections: Connection[] = []
    for (let i = 0; i < 3; i++) {
      const connection = await connect()
      await untilInline(engine, connection)
      connections.push(connection)
    }
    for (const [count, inlineWrites, writes] of [
      [3, 0, 3],
      [2, 2, 0],
      [3, 0, 3],
      [1, 1, 0],
    ] as const) {
      const before = writeCounts(engine)
      const senders = connections.slice(0, count)
      for (const connection of senders) connection.send('together')
      for (const connection of senders) t.is(String(await connection.receive()), 'together')
      const since = writesSince(engine, before)
      t.deepEqual([since.inlineWrites, since.writes], [inlineWrites, writes], `${String(count)} connections`)
    }
  })
})

onUnix('a connection that has been idle since it was made has no duplicate', async (t) => {
  await withEchoStage(t, {}, async ({ engine, connect }) => {
    const [idle, busy] = [await connect(), await connect()]
    await untilInline(engine, busy)
    t.is(engine.stats().ledger.byKind.duplicates.opened, 1)
    t.is(String(await roundTrip(idle, 'hello')), 'hello')
    t.is(engine.stats().ledger.byKind.duplicates.opened, 1)
  })
})

onUnix('connections of a listener write inline before and after it closes', async (t) => {
  await withEchoStage(t, {}, async ({ engine, folder }) => {
    const transport = engine.transport(folder.endpoint())
    const listener: Listener = await transport.listen(echoTo)
    const connection = await transport.connect()
    await untilInline(engine, connection, 2)
    await listener.close()
    await assertInline(t, engine, connection, 2)
  })
})

function echoTo(connection: Connection): void {
  connection.subscribe((frame) => void connection.send(frame), { borrow: true })
}
