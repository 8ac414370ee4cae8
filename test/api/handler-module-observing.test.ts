/** What main and the modules of its shards say to each other, and what main sees of them. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test from 'ava'
import type { ConnectionEvent, HandlerFailedEvent, HandlerLogEntry } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { FailureBook } from '../helpers/failure-book.js'
import { digestOf, framesOf, receiveMany, sendAll } from '../helpers/frames.js'
import { randomName } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { apiOn, echoes, witness, withWitnesses } from '../helpers/witness.js'

failOnWarnings()

test.serial('the module calls main, and errors keep their code and cause', async (t) => {
  await withWitnesses(t, async ({ engine, endpoint }) => {
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
  await withWitnesses(
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
    await withWitnesses(t, async ({ engine, endpoint }) => {
      const before = Date.now()
      const logged: HandlerLogEntry[] = []
      const own = await witness(engine, endpoint, {}, { onLog: (entry) => logged.push(entry) })
      await apiOn(own.listener).log(3)
      await until(() => logged.length === 3)
      const [{ at, ...first } = { at: 0 }] = logged
      const line = { level: 'warn', message: 'line 0', details: { i: 0 }, shard: 0, generation: 1 }
      t.deepEqual(first, { ...line, engine: engine.id, endpoint })
      t.true(at >= before && at <= Date.now())
      t.deepEqual(published, [])
      const memory = `memory:${randomName()}`
      const other = await witness(engine, memory)
      await apiOn(other.listener).log(1)
      await until(() => published.length === 1)
      t.deepEqual({ ...published[0], at: 0 }, { ...line, engine: engine.id, endpoint: memory, at: 0 })
    })
  } finally {
    unsubscribe(name, onMessage)
  }
})

test.serial('an onLog that fails is told to onError', async (t) => {
  const ofListener = new FailureBook()
  await withWitnesses(t, async ({ engine, endpoint }) => {
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
    await withWitnesses(t, async ({ engine, endpoint }) => {
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
  await withWitnesses(
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
  await withWitnesses(
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
  await withWitnesses(
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
            return (await echoes(connection)) === 'ping'
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
    await withWitnesses(
      t,
      async ({ engine, endpoint }) => {
        await withWitnesses(t, async (other) => {
          const places = [
            { engine, endpoint },
            { engine: other.engine, endpoint: other.endpoint },
          ]
          for (const place of places) {
            const { transport } = await witness(place.engine, place.endpoint)
            const main = place.engine.transport(`memory:${randomName()}`)
            await main.listen(() => undefined)
            for (let i = 0; i < 5; i++) {
              t.is(await echoes(await transport.connect()), 'ping')
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
