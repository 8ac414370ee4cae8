/** Listening with a handler module, and connecting to it. */
import fs from 'node:fs'
import type { TransportError } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { turns, until } from '../helpers/turns.js'
import type { HandledTests } from './handled-listening.js'

export function handledListenerTests({ test, testIf, transport: subject }: HandledTests): void {
  const { noListener } = subject

  test('both ends of a connection describe it', async (t, world) => {
    const before = Date.now()
    const { place, transport, listener, api } = await world.serve('keep')
    const dialled = await world.connect(transport)
    const accepted = await api.info(0)
    t.is(listener.endpoint, place.endpoint)
    t.not(dialled.info.id, accepted.id)
    for (const info of [dialled.info, accepted]) {
      const { kind, endpoint, shard, framesSent, bytesSent, framesReceived, bytesReceived } = info
      t.deepEqual(
        { kind, endpoint, shard, framesSent, bytesSent, framesReceived, bytesReceived },
        {
          kind: subject.kind,
          endpoint: place.endpoint,
          shard: 0,
          framesSent: 0,
          bytesSent: 0,
          framesReceived: 0,
          bytesReceived: 0,
        },
      )
      t.true(info.establishedAt >= before && info.establishedAt <= Date.now())
      t.true(info.lastActivityAt >= info.establishedAt)
    }
    t.deepEqual(await api.facts(0), { pendingBytes: 0, halfClose: subject.halfClose })
    const { connections, listeners, shards } = world.engine.stats()
    t.deepEqual([connections, listeners, shards[0]?.handlers.connections], [2, 1, 1])
  })

  test('the listener has no connection to give', async (t, world) => {
    const { listener } = await world.serve('keep')
    await rejects(t, listener.accept(), 'ERR_CONSUMER_BUSY')
    await rejects(t, listener[Symbol.asyncIterator]().next(), 'ERR_CONSUMER_BUSY')
    t.deepEqual(listener.stats(), { accepted: 0, open: 0, refused: 0, queued: 0 })
  })

  for (const how of ['throw once', 'reject once'] as const) {
    test(`a module that does '${how}' loses that connection and no other`, async (t, world) => {
      const { transport, api } = await world.serve(how)
      const unlucky = await world.connect(transport)
      t.deepEqual(await api.ended(0), { code: 'ERR_HANDLER', cause: 'the handler is broken' })
      await unlucky.closed
      const lucky = await world.connect(transport)
      lucky.send('still here')
      t.is(await api.receive(1), 'still here')
      const failures = [] as ReturnType<typeof world.failures.take>
      while (failures.length === 0) {
        await turns()
        failures.push(...world.failures.take())
      }
      const [failure] = failures
      const { id } = await api.info(0)
      t.deepEqual(
        [failure?.error.code, failure?.context.where, failure?.context.connection],
        ['ERR_HANDLER', 'module', id],
      )
      t.is((failure?.error.cause as Error).message, 'the handler is broken')
      t.is(failures.length, 1)
    })
  }

  test('a connect that is aborted after any number of turns leaves nothing behind', async (t, world) => {
    const { transport, listener } = await world.serve('echo')
    for (let delay = 0; delay <= 30; delay++) {
      const abort = new AbortController()
      const connecting = transport.connect({ signal: abort.signal })
      const outcome = connecting.then(
        (connection) => {
          connection.destroy()
          return connection.closed.then(() => undefined)
        },
        (error: unknown) => (error as TransportError).code,
      )
      await turns(delay)
      abort.abort()
      const code = await outcome
      t.true(code === undefined || code === 'ERR_ABORTED', code)
    }
    await listener.close()
    await until(() => {
      const { connections, lanes, dials } = world.engine.stats().ledger.byKind
      return connections.open + lanes.open + dials.open === 0
    })
    t.is(listener.stats().open, 0)
  })

  test('maxConnections cuts the surplus, counts it, and makes room when one closes', async (t, world) => {
    const { transport, listener, api } = await world.serve('keep', { options: { maxConnections: 3 } })
    for (let i = 0; i < 3; i++) await world.connect(transport)
    await api.served(3)
    for (let i = 0; i < 5; i++) {
      const { code } = await (await world.connect(transport)).closed
      t.true(code === 'OK' || code === 'ERR_RESET', code)
    }
    t.deepEqual(listener.stats(), { accepted: 3, open: 3, refused: 5, queued: 0 })
    await api.destroy(1)
    t.is((await api.ended(1)).code, 'ERR_ABORTED')
    await until(() => listener.stats().open === 2)
    const fourth = await world.connect(transport)
    fourth.send('welcome')
    t.is(await api.receive(3), 'welcome')
    t.deepEqual(listener.stats(), { accepted: 4, open: 3, refused: 5, queued: 0 })
  })

  test('a closed listener accepts no connection and leaves its connections open', async (t, world) => {
    const { place, transport, listener, api } = await world.serve('keep')
    const { socketFile } = place
    if (socketFile !== undefined) t.true(fs.lstatSync(socketFile).isSocket())
    const dialled = await world.connect(transport)
    dialled.send('before')
    await api.served(1)
    t.deepEqual(await Promise.all([listener.close(), listener.close()]), [{ code: 'OK' }, { code: 'OK' }])
    t.deepEqual(await listener.closed, { code: 'OK' })
    if (socketFile !== undefined) t.false(fs.existsSync(socketFile))
    if (subject.lingers === true) await rejects(t, transport.connect({ timeoutMs: 1 }), 'ERR_TIMEOUT')
    else if (noListener !== undefined) await rejects(t, transport.connect(), noListener)
    t.is(listener.handlers.length, 1, 'it is not torn down while it has a connection')
    await api.send(0, 'after')
    t.is(await api.receive(0), 'before')
    t.is(String(await dialled.receive()), 'after')
    await dialled.close()
    await until(() => listener.handlers.length === 0)
    await rejects(t, api.served(0), 'ERR_CLOSED')
  })

  test('an endpoint can be listened on again, by the same module', async (t, world) => {
    const first = await world.serve('keep')
    await first.listener.close()
    const { transport, api } = await world.serve('keep', { place: first.place })
    const dialled = await world.connect(transport)
    dialled.send('again')
    t.is(await api.receive(0), 'again')
  })

  testIf(subject.exclusive ?? true)(
    'an endpoint that is in use is refused, and its listener goes on',
    async (t, world) => {
      const { place, transport, api } = await world.serve('keep')
      await rejects(t, world.serve('keep', { place }), 'ERR_ADDRESS_IN_USE')
      const dialled = await world.connect(transport)
      dialled.send('still mine')
      t.is(await api.receive(0), 'still mine')
    },
  )

  test('a connection whose peer sends, ends and goes at once is served whole', async (t, world) => {
    const { transport, api } = await world.serve('keep')
    const dialled = await world.connect(transport)
    dialled.send('early')
    const closing = dialled.close()
    t.is(await api.receive(0), 'early')
    t.is(await api.receive(0), undefined)
    t.is((await closing).code, 'OK')
    t.is((await api.ended(0)).code, 'OK')
  })
}
