/** How handler modules and those who wait for them end; and clients that know nothing of the engine. */
import { once } from 'node:events'
import fs from 'node:fs/promises'
import net from 'node:net'
import test from 'ava'
import { createEngine } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { digestOf, framesOf, receiveToEnd } from '../helpers/frames.js'
import { rawFrame } from '../helpers/raw-frames.js'
import { makeTemporaryFolder, pathOf, randomName } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'
import { apiOn, witness, WitnessSteps, withWitnesses } from '../helpers/witness.js'

/** Longer than the watchdog lets a test run. */
const GRACE_MS = 60_000

failOnWarnings()

for (const by of ['listener', 'engine'] as const) {
  test.serial(`the signal aborts when the ${by} begins to close, while connections live`, async (t) => {
    await withWitnesses(t, async ({ engine, endpoint }) => {
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

test.serial('listener.close({graceMs}) waits for handlers at work, and connections live on', async (t) => {
  await withWitnesses(t, async ({ engine, endpoint }) => {
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
  await withWitnesses(t, async ({ engine, endpoint }) => {
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
  await withWitnesses(t, async ({ engine, endpoint }) => {
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
  await withWitnesses(t, async ({ engine, endpoint }) => {
    const back = engine.transport(`memory:${randomName()}`)
    await back.listen((connection) => {
      connection.subscribe((frame) => void connection.send(`back ${String(frame)}`))
    })
    const upstream = await back.connect()
    const host = new WitnessSteps()
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
        await host.gate()
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
  await withWitnesses(
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
