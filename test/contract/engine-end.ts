/** The end of an engine: everything pending settles, everything is released, and the ledger says so. */
import fs from 'node:fs'
import type { Connection } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { digestOf, framesOf, receiveMany, receiveToEnd, sendAll } from '../helpers/frames.js'
import { byLength } from '../helpers/length.js'
import { Random } from '../helpers/random.js'
import { signal, turns } from '../helpers/turns.js'
import type { Contract } from './contract.js'

/** How long handlers may take: longer than the watchdog lets a test run. */
const GRACE_MS = 60_000
/** Of connections that are destroyed while their rings grow. */
const ROUNDS = byLength({ short: 60, long: 200 })

type Reply = (connection: Connection, frame: Buffer) => Promise<void>

export function engineEndTests({ test, testIf, transport: subject }: Contract): void {
  const { noListener, cleanEnd: clean = { code: 'OK' } } = subject

  test('a closed engine has released all that it opened, and says the same when asked twice', async (t, world) => {
    const engine = await world.newEngine()
    const place = await world.endpoint()
    const { socketFile } = place
    const transport = world.meet(place, { engine })
    const listener = await world.listen(transport)
    const dialled = await world.connect(transport)
    const accepted = await world.next(listener)
    const untaken = await world.connect(transport)
    await Promise.all([sendAll(dialled, framesOf([5, 3_000_000])), receiveMany(accepted, 2)])
    if (noListener !== undefined) {
      const nowhere = world.meet(await world.endpoint(), { engine })
      await rejects(t, nowhere.connect(), noListener)
    }
    const closing = engine.close()
    t.is(engine.close(), closing)
    const report = await closing
    t.is(report.leaked, 0)
    t.is(report.opened, report.released)
    for (const [kind, line] of Object.entries(report.byKind)) t.is(line.opened, line.released, kind)
    // After a handshake the untaken one is a connection of the engine's too.
    t.is(report.byKind.connections.opened, subject.shakesHands === true ? 4 : 3)
    t.is(report.byKind.dials.opened, noListener === undefined ? 2 : 3)
    t.is(report.byKind.listeners.opened, 1)
    t.is(report.byKind.socketFiles.opened, socketFile === undefined ? 0 : 1)
    t.is(report.byKind.shards.opened, 1)
    t.is(engine.close(), closing)
    if (socketFile !== undefined) t.false(fs.existsSync(socketFile))
    t.deepEqual(await listener.closed, { code: 'OK' })
    t.deepEqual(await Promise.all([dialled.closed, accepted.closed]), [clean, { code: 'OK' }])
    const end = (await untaken.closed).code
    t.true(end === 'OK' || end === 'ERR_RESET', end)
    const { connections, listeners, pendingConnects } = engine.stats()
    t.deepEqual([connections, listeners, pendingConnects], [0, 0, 0])
  })

  test('a closed engine neither connects nor listens', async (t, world) => {
    const engine = await world.newEngine()
    const transport = world.meet(await world.endpoint(), { engine })
    await engine.close()
    await rejects(t, transport.connect(), 'ERR_ENGINE_CLOSED')
    await rejects(t, transport.listen(), 'ERR_ENGINE_CLOSED')
  })

  test('connects and listens that are pending when the engine closes reject and leave nothing', async (t, world) => {
    // Later and later: the close meets the listen at each of its steps.
    for (let delay = 0; delay < 6; delay++) {
      const engine = await world.newEngine()
      const first = world.meet(await world.endpoint(), { engine })
      const second = await world.endpoint()
      await world.listen(first)
      const listening = engine.transport(second.endpoint).listen()
      await turns(delay)
      const connecting = rejects(t, first.connect(), 'ERR_ENGINE_CLOSED')
      const report = await engine.close()
      await connecting
      const listener = await listening.catch((error: unknown) => error)
      if (listener instanceof Error) t.is((listener as { code?: unknown }).code, 'ERR_ENGINE_CLOSED', String(listener))
      t.is(report.leaked, 0)
      t.is(engine.stats().ledger.open, 0)
      if (second.socketFile !== undefined) t.false(fs.existsSync(second.socketFile))
    }
  })

  test('connections that are destroyed while their rings grow give all their memory back', async (t, world) => {
    const engine = await world.newEngine()
    const transport = world.meet(await world.endpoint(), { engine })
    const listener = await world.listen(transport)
    const random = new Random(1)
    for (let round = 0; round < (subject.costly === true ? 10 : ROUNDS); round++) {
      const [dialled, accepted] = await Promise.all([world.connect(transport), world.next(listener)])
      if (random.oneIn(2)) accepted.subscribe(() => undefined)
      for (let i = random.below(10); i > 0; i--) {
        dialled.send(Buffer.alloc(random.below(60_000)))
        await turns(random.below(2))
      }
      dialled.destroy()
      if (random.oneIn(2)) await turns()
      accepted.destroy()
      await Promise.all([dialled.closed, accepted.closed])
    }
    const { regions, lanes } = engine.stats().ledger.byKind
    t.is(regions.released, regions.opened)
    t.is(lanes.released, lanes.opened)
  })

  // Both ends are closed at once: without half-close the first to finish cuts what the other still sends.
  testIf(subject.halfClose)('what was sent before the engine closes arrives', async (t, world) => {
    const engine = await world.newEngine()
    const { dialled, accepted } = await world.pair({ engine })
    const frames = framesOf([100, 1_000_000, 7])
    const receiving = receiveToEnd(accepted)
    for (const frame of frames) dialled.send(frame)
    t.is((await engine.close({ graceMs: 20_000 })).leaked, 0)
    t.is(digestOf(await receiving), digestOf(frames))
    t.deepEqual(await dialled.closed, clean)
  })

  test('graceMs bounds the wait for a peer that does not read', async (t, world) => {
    const engine = await world.newEngine({ maxRingBytes: 32_768 })
    const { dialled, accepted } = await world.pair({ engine })
    // More than the rings and the kernel hold: most of it waits in front of the ring.
    for (let i = 0; i < 500; i++) dialled.send(Buffer.alloc(8192))
    const waiting = rejects(t, dialled.ready(), 'ERR_CLOSED')
    const report = await engine.close({ graceMs: 5 })
    t.is(report.leaked, 0)
    await waiting
    t.is((await dialled.closed).code, 'ERR_ENGINE_CLOSED')
    t.not((await accepted.closed).code, 'OK')
  })

  for (const [who, serve] of [
    [
      'a subscriber',
      (connection: Connection, reply: Reply) => {
        connection.subscribe((frame) => reply(connection, frame))
      },
    ],
    [
      'a subscriber that has ended its subscription',
      (connection: Connection, reply: Reply) => {
        const stop = connection.subscribe((frame) => {
          stop()
          return reply(connection, frame)
        })
      },
    ],
    [
      'a listener callback that loops',
      async (connection: Connection, reply: Reply) => {
        for await (const frame of connection) await reply(connection, frame)
      },
    ],
    [
      'a listener callback that receives',
      async (connection: Connection, reply: Reply) => {
        const frame = await connection.receive()
        if (frame !== undefined) await reply(connection, frame)
        await connection.closed
      },
    ],
  ] as const) {
    testIf(subject.halfClose)(
      `the reply arrives from ${who} that is at work when the engine closes`,
      async (t, world) => {
        const engine = await world.newEngine()
        const place = await world.endpoint()
        const taken = signal()
        const go = signal()
        const listener = await world.listen(world.meet(place, { engine }), (connection) =>
          serve(connection, async (to, frame) => {
            taken.resolve()
            await go.promise
            to.send(frame)
          }),
        )
        const dialled = await world.connect(world.meet(place, { engine }))
        const received = receiveToEnd(dialled)
        dialled.send('a question')
        await taken.promise
        const closing = engine.close({ graceMs: GRACE_MS })
        // As far as it goes while a handler is at work.
        await listener.closed
        await turns(3)
        go.resolve()
        t.deepEqual((await received).map(String), ['a question'])
        await dialled.close()
        t.is((await closing).leaked, 0)
      },
    )
  }

  testIf(subject.halfClose)(
    'frames that arrived before the engine closes are delivered and answered',
    async (t, world) => {
      const engine = await world.newEngine()
      const place = await world.endpoint()
      const accepting = signal<Connection>()
      const taken = signal()
      const go = signal()
      const listener = await world.listen(world.meet(place, { engine }), (connection) => {
        connection.subscribe(async (frame) => {
          taken.resolve()
          await go.promise
          connection.send(frame)
        })
        accepting.resolve(connection)
      })
      const dialled = await world.connect(world.meet(place, { engine }))
      const received = receiveToEnd(dialled)
      const accepted = await accepting.promise
      const frames = framesOf([10, 20, 30])
      // In one turn, and so in one write: the first is taken only when all are there.
      for (const frame of frames) dialled.send(frame)
      await taken.promise
      const closing = engine.close({ graceMs: GRACE_MS })
      await listener.closed
      await turns(3)
      go.resolve()
      t.is(digestOf(await received), digestOf(frames))
      await dialled.close()
      await closing
      t.is((await accepted.closed).code, 'OK')
    },
  )

  testIf(subject.halfClose)(
    'handlers that wait for their peers do not delay the end of an engine',
    async (t, world) => {
      const engine = await world.newEngine()
      const transport = world.meet(await world.endpoint(), { engine })
      const ways: ((connection: Connection) => unknown)[] = [
        async (connection) => {
          for await (const frame of connection) t.fail(String(frame))
        },
        (connection) => connection.receive(),
        async (connection) => {
          connection.subscribe(() => undefined)
          await connection.closed
        },
      ]
      const started = signal()
      await world.listen(transport, (connection) => {
        const way = ways.shift()
        if (ways.length === 0) started.resolve()
        return way?.(connection)
      })
      const dialled = [await world.connect(transport), await world.connect(transport), await world.connect(transport)]
      await started.promise
      // If close() waited for any of them, the test would run into its watchdog.
      t.is((await engine.close({ graceMs: GRACE_MS })).leaked, 0)
      for (const connection of dialled) t.deepEqual(await connection.closed, clean)
    },
  )

  test('graceMs bounds the wait for a handler that never settles', async (t, world) => {
    const engine = await world.newEngine()
    const place = await world.endpoint()
    const taken = signal()
    await world.listen(world.meet(place, { engine }), (connection) => {
      connection.subscribe(() => {
        taken.resolve()
        return new Promise(() => undefined)
      })
    })
    const stuck = await world.connect(world.meet(place, { engine }))
    stuck.send('a question')
    await taken.promise
    t.is((await engine.close({ graceMs: 5 })).leaked, 0)
  })

  test('closing an engine ends what waits on it', async (t, world) => {
    const engine = await world.newEngine()
    const { dialled, accepted, listener } = await world.pairAndListener({ engine })
    const receiving = [dialled.receive(), accepted.receive()]
    const loop = receiveToEnd(accepted).catch((error: unknown) => error)
    const accepting = listener[Symbol.asyncIterator]().next()
    await turns()
    await engine[Symbol.asyncDispose]()
    t.deepEqual(await Promise.all(receiving), [undefined, undefined])
    t.is(((await loop) as { code?: unknown }).code, 'ERR_CONSUMER_BUSY')
    t.true((await accepting).done)
  })
}
