/** Connecting and listening. */
import fs from 'node:fs'
import type { Connection, TransportError } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { receiveToEnd } from '../helpers/frames.js'
import { byLength } from '../helpers/length.js'
import { signal, turns, until } from '../helpers/turns.js'
import type { Contract } from './contract.js'

export function connectingTests(contract: Contract): void {
  const { test, testIf, transport: subject } = contract

  test('both ends of a connection describe it', async (t, world) => {
    const before = Date.now()
    const place = await world.endpoint()
    const { endpoint } = place
    const transport = world.meet(place)
    const accepting = signal<Connection>()
    const listener = await world.listen(transport, accepting.resolve)
    const dialled = await world.connect(transport)
    const accepted = await accepting.promise
    t.is(transport.endpoint, endpoint)
    t.is(listener.endpoint, endpoint)
    t.not(dialled.info.id, accepted.info.id)
    for (const connection of [dialled, accepted]) {
      const { kind, shard, establishedAt, lastActivityAt, framesSent, framesReceived } = connection.info
      const isOther = connection === accepted && subject.listenerKind !== undefined
      const there = isOther || place.dialled === undefined ? endpoint : place.dialled(() => undefined)
      t.is(connection.info.endpoint, world.engine.transport(there).endpoint)
      t.deepEqual(
        { kind, shard, framesSent, framesReceived },
        {
          kind: isOther ? subject.listenerKind : subject.kind,
          shard: 0,
          framesSent: 0,
          framesReceived: 0,
        },
      )
      t.true(establishedAt >= before && establishedAt <= Date.now())
      t.true(lastActivityAt >= establishedAt)
      t.is(connection.pendingBytes, 0)
      t.is(connection.capabilities.halfClose, subject.halfClose)
    }
    const stats = world.engine.stats()
    t.is(stats.connections, 2)
    t.is(stats.listeners, 1)
  })

  test('a listener without a callback is a loop over its connections, and leaving it does not close', async (t, world) => {
    const transport = await world.transport()
    const listener = await world.listen(transport)
    const dialled = [await world.connect(transport), await world.connect(transport), await world.connect(transport)]
    dialled.forEach((connection, i) => connection.send(String(i)))
    const seen: string[] = []
    for await (const connection of listener) {
      seen.push(String(await world.keep(connection).receive()))
      if (seen.length === 2) break
    }
    const third = await world.next(listener)
    seen.push(String(await third.receive()))
    t.deepEqual(seen, ['0', '1', '2'])
  })

  test('a listener with a callback refuses to be looped over', async (t, world) => {
    const listener = await world.listen(await world.transport(), () => undefined)
    await rejects(t, world.next(listener), 'ERR_CONSUMER_BUSY')
  })

  for (const [how, fail] of [
    [
      'throws',
      (): never => {
        throw new Error('the handler is broken')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the handler is broken'))],
  ] as const) {
    test(`a callback that ${how} destroys its connection and no other`, async (t, world) => {
      const transport = await world.transport()
      const accepting = [signal<Connection>(), signal<Connection>()]
      let count = 0
      await world.listen(transport, (connection) => {
        accepting[count]?.resolve(connection)
        const broken = count++ === 0
        return broken ? fail() : undefined
      })
      const unlucky = await world.connect(transport)
      const lucky = await world.connect(transport)
      const [first, second] = await Promise.all(accepting.map((one) => one.promise))
      const closed = await first?.closed
      t.is(closed?.code, 'ERR_HANDLER')
      t.is((closed?.cause?.cause as Error).message, 'the handler is broken')
      const [{ error, context } = {}, ...others] = await world.takeFailures(1)
      t.is(error, closed?.cause as TransportError)
      t.deepEqual([context?.where, context?.connection], ['listener', first?.info.id])
      t.is(others.length, 0)
      await unlucky.closed
      lucky.send('still here')
      t.is(String(await second?.receive()), 'still here')
    })
  }

  const { noListener } = subject
  testIf(noListener !== undefined)(
    'connecting without a listener is refused with a code, an endpoint and advice',
    async (t, world) => {
      const { endpoint, dialled } = await world.endpoint()
      const transport = world.engine.transport(dialled?.(() => undefined) ?? endpoint)
      const error = await rejects(t, transport.connect(), noListener ?? 'ERR_IO')
      t.is(error.endpoint, transport.endpoint)
      t.true(error.retryable)
      t.is(world.engine.stats().pendingConnects, 0)
    },
  )

  test('a signal that is aborted already refuses connect()', async (t, world) => {
    const transport = await world.transport()
    let accepted = 0
    await world.listen(transport, () => accepted++)
    const reason = new Error('not any more')
    const error = await rejects(t, transport.connect({ signal: AbortSignal.abort(reason) }), 'ERR_ABORTED')
    t.is(error.cause, reason)
    await world.connect(transport)
    await until(() => accepted > 0)
    t.is(accepted, 1, 'the aborted one was never dialled')
  })

  test('aborting the signal rejects connect(), and its connection is closed if it still comes', async (t, world) => {
    const transport = await world.transport()
    const listener = await world.listen(transport, () => undefined)
    const rounds = subject.costly === true ? byLength({ short: 5, long: 20 }) : 20
    for (let round = 0; round < rounds; round++) {
      const abort = new AbortController()
      const connecting = transport.connect({ signal: abort.signal })
      t.is(world.engine.stats().pendingConnects, 1)
      const rejection = rejects(t, connecting, 'ERR_ABORTED')
      abort.abort()
      await rejection
    }
    // No connection is accepted from here on; accepted ones see that their peer has gone.
    await listener.close()
    await until(() => {
      const { connections, ledger } = world.engine.stats()
      return connections === 0 && ledger.byKind.dials.released === ledger.byKind.dials.opened
    })
  })

  test('a signal that is aborted after connect() has resolved does nothing', async (t, world) => {
    const transport = await world.transport()
    const listener = await world.listen(transport)
    const abort = new AbortController()
    const dialled = world.keep(await transport.connect({ signal: abort.signal, timeoutMs: 10_000 }))
    abort.abort()
    const accepted = await world.next(listener)
    dialled.send('alive')
    t.is(String(await accepted.receive()), 'alive')
  })

  test('connect() gives up after timeoutMs', async (t, world) => {
    const transport = await world.transport()
    const listener = await world.listen(transport, () => undefined)
    // From the check phase timers come before messages: the deadline passes here, before any answer can be seen.
    await turns()
    const connecting = transport.connect({ timeoutMs: 1 })
    const start = performance.now()
    while (performance.now() - start < 3);
    const error = await rejects(t, connecting, 'ERR_TIMEOUT')
    t.true(error.retryable)
    await listener.close()
    await until(() => world.engine.stats().connections === 0)
  })

  test('a closed listener accepts no connection, leaves its connections open, and ends its loops', async (t, world) => {
    const place = await world.endpoint()
    const { socketFile } = place
    const transport = world.meet(place)
    const listener = await world.listen(transport)
    if (socketFile !== undefined) t.true(fs.lstatSync(socketFile).isSocket())
    const loop = (async () => {
      const connections: Connection[] = []
      for await (const connection of listener) connections.push(world.keep(connection))
      return connections
    })()
    const dialled = await world.connect(transport)
    dialled.send('before')
    await until(() => world.engine.stats().connections === 2)
    t.deepEqual(await Promise.all([listener.close(), listener.close()]), [{ code: 'OK' }, { code: 'OK' }])
    t.deepEqual(await listener.closed, { code: 'OK' })
    const [accepted] = await loop
    if (socketFile !== undefined) t.false(fs.existsSync(socketFile))
    if (subject.lingers === true) await rejects(t, transport.connect({ timeoutMs: 1 }), 'ERR_TIMEOUT')
    else if (noListener !== undefined) await rejects(t, transport.connect(), noListener)
    accepted?.send('after')
    t.is(String(await accepted?.receive()), 'before')
    t.is(String(await dialled.receive()), 'after')
    await Promise.all([accepted?.close(), dialled.close()])
    if (noListener !== undefined) await rejects(t, transport.connect(), noListener)
  })

  test('an untaken connection ends when its listener closes', async (t, world) => {
    const transport = await world.transport()
    const listener = await world.listen(transport)
    const dialled = await world.connect(transport)
    await listener.close()
    const { code } = await dialled.closed
    t.true(code === 'OK' || code === 'ERR_RESET', code)
    t.is(await dialled.receive().catch(() => undefined), undefined)
  })

  test('what was sent before the listener takes a connection arrives', async (t, world) => {
    const transport = await world.transport()
    const listener = await world.listen(transport)
    const dialled = await world.connect(transport)
    dialled.send('early')
    const ending = world.finish(dialled)
    const accepted = await world.next(listener)
    t.deepEqual((await receiveToEnd(accepted)).map(String), ['early'])
    await ending
  })

  test('a connection whose peer has gone before it is taken ends', async (t, world) => {
    const transport = await world.transport()
    const listener = await world.listen(transport)
    const dialled = await world.connect(transport)
    dialled.destroy()
    await dialled.closed
    const accepted = await world.next(listener)
    const { code } = await accepted.closed
    t.true(code === 'OK' || code === 'ERR_RESET', code)
    t.is(await accepted.receive().catch(() => undefined), undefined)
  })

  testIf((subject.exclusive ?? true) && subject.listenerKind === undefined)(
    'one endpoint has one listener at a time, and is free again after it',
    async (t, world) => {
      const transport = await world.transport()
      const first = await world.listen(transport)
      const error = await rejects(t, world.listen(transport), 'ERR_ADDRESS_IN_USE')
      t.false(error.retryable)
      await first.close()
      const second = await world.listen(transport)
      const [dialled, accepted] = await Promise.all([world.connect(transport), world.next(second)])
      dialled.send('again')
      t.is(String(await accepted.receive()), 'again')
    },
  )
}
