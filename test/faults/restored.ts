/** An engine whose only shard dies: what waits for it to come back, and what does not come back with it. */
import net from 'node:net'
import type { ShardLostEvent } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { EventLog, faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { rawFrame, RawReader } from '../helpers/raw-frames.js'
import { until } from '../helpers/turns.js'
import type { FaultSuite } from './fault-suite.js'
import { Meeting } from './meeting.js'

/** Nothing comes back on its own within a test. */
const AWAY = { ...faultyOptions(), restart: { initialDelayMs: 600_000, maxDelayMs: 600_000 } }

export function restoredTests({ test, transport: subject }: FaultSuite): void {
  const { outlivesShards = false } = subject

  test('a connect while the only shard is away succeeds on its next life', {}, async (t, world, engine) => {
    const { meeting, listener } = await Meeting.open(world, engine)
    for (let generation = 2; generation <= 3; generation++) {
      const lost = nextEvent('shard.lost')
      await strike(engine, 0, 'exit')
      await lost
      const connecting = [world.connect(meeting.transport), world.connect(meeting.transport)]
      t.is(engine.stats().pendingConnects, 2)
      for (const dialled of await Promise.all(connecting)) {
        const { accepted } = await meeting.introduce(dialled)
        accepted.send('welcome')
        t.is(String(await dialled.receive()), 'welcome')
      }
      const [shard] = engine.stats().shards
      // Ends of connections that a shard carries.
      const carried = outlivesShards ? 0 : 4
      t.deepEqual([shard?.generation, shard?.state, shard?.connections], [generation, 'up', carried])
    }
    t.deepEqual(listener.stats(), { accepted: 4, open: outlivesShards ? 4 : 2, queued: 0, refused: 0 })
  })

  if (subject.kind === 'unix') {
    test(
      'a peer that connects while the only shard is away waits in the backlog and is served',
      {},
      async (t, world, engine) => {
        const { endpoint } = await world.endpoint()
        await world.listen(engine.transport(endpoint), (connection) => {
          connection.subscribe((frame) => connection.send(frame))
        })
        const lost = nextEvent('shard.lost')
        await strike(engine, 0, 'exit')
        await lost
        const path = endpoint.slice('unix:'.length).replace(/^@/, '\0')
        const clients = Array.from({ length: 5 }, () => net.connect(path))
        try {
          const readers = clients.map((client, i) => {
            client.write(rawFrame(`hello ${String(i)}`))
            return new RawReader(client)
          })
          const echoes = await Promise.all(readers.map((reader) => reader.next()))
          t.deepEqual(echoes.map(String), ['hello 0', 'hello 1', 'hello 2', 'hello 3', 'hello 4'])
          t.is(engine.stats().shards[0]?.generation, 2)
        } finally {
          for (const client of clients) client.destroy()
        }
      },
    )
  }

  test('a connect that waits for a shard can be aborted, and ends with its engine', AWAY, async (t, world, engine) => {
    const { meeting } = await Meeting.open(world, engine)
    const lost = nextEvent('shard.lost')
    await strike(engine, 0, 'exit')
    await lost
    t.is(engine.stats().shards[0]?.state, 'restarting')
    const controller = new AbortController()
    const aborted = rejects(t, meeting.transport.connect({ signal: controller.signal }), 'ERR_ABORTED')
    const timedOut = rejects(t, meeting.transport.connect({ timeoutMs: 1 }), 'ERR_TIMEOUT')
    const ended = rejects(t, meeting.transport.connect(), 'ERR_ENGINE_CLOSED')
    const listening = rejects(
      t,
      engine.transport((await world.endpoint()).endpoint).listen(undefined, { timeoutMs: 1 }),
      'ERR_TIMEOUT',
    )
    controller.abort(new Error('enough'))
    t.is(((await aborted).cause as Error).message, 'enough')
    await Promise.all([timedOut, listening])
    t.is(engine.stats().pendingConnects, 1)
    t.is((await engine.close()).leaked, 0)
    await ended
    t.is(engine.stats().shards[0]?.state, 'stopped')
  })

  test(
    `untaken connections ${outlivesShards ? 'outlive' : 'are gone with'} their shard, and accept() returns the next ones`,
    {},
    async (t, world, engine) => {
      const transport = await world.transport()
      const listener = await world.listen(transport)
      const untaken = [await world.connect(transport), await world.connect(transport)]
      await until(() => listener.stats().queued === 2)
      const lost = nextEvent('shard.lost')
      await strike(engine, 0, 'exit')
      await lost
      if (outlivesShards) {
        t.deepEqual(listener.stats(), { accepted: 0, open: 0, queued: 2, refused: 0 })
        for (const connection of untaken) {
          connection.send('still there')
          t.is(String(await (await world.next(listener)).receive()), 'still there')
        }
      } else {
        t.deepEqual(listener.stats(), { accepted: 0, open: 0, queued: 0, refused: 0 })
        for (const connection of untaken) t.is((await connection.closed).code, 'ERR_SHARD_LOST')
      }
      // One waits through a death as well.
      const accepting = listener.accept()
      const again = nextEvent('shard.lost', ({ generation }: ShardLostEvent) => generation === 2)
      await nextEvent('shard.restored')
      await strike(engine, 0, 'exit')
      await again
      const dialled = await world.connect(transport)
      dialled.send('the third')
      const accepted = await accepting
      if (accepted === undefined) throw new Error('the listener closed')
      t.is(String(await world.keep(accepted).receive()), 'the third')
    },
  )

  test('events report the loss and the return, and stats() agrees', {}, async (t, world, engine) => {
    const { meeting } = await Meeting.open(world, engine)
    await meeting.connect()
    const [before] = engine.stats().shards
    const log = new EventLog('shard.lost', 'shard.restored', 'shard.given-up', 'listener.closed')
    try {
      const states: unknown[] = []
      for (let generation = 1; generation <= 3; generation++) {
        const lost = nextEvent('shard.lost').then(() => engine.stats().shards[0]?.state)
        const restored = nextEvent('shard.restored')
        await strike(engine, 0, generation === 2 ? 'throw' : 'exit')
        states.push(await lost)
        await restored
        states.push(engine.stats().shards[0]?.state)
      }
      t.deepEqual(states, ['restarting', 'up', 'restarting', 'up', 'restarting', 'up'])
      t.deepEqual(
        log.lines.map(({ event, message }) => {
          const { shard, generation } = message as ShardLostEvent
          return [event, shard, generation]
        }),
        [1, 2, 3].flatMap((generation) => [
          ['shard.lost', 0, generation],
          ['shard.restored', 0, generation + 1],
        ]),
      )
      for (const { error } of log.of<ShardLostEvent>('shard.lost')) {
        t.is((error as { code?: unknown }).code, 'ERR_SHARD_LOST')
        t.regex(String(error.cause), /injected error|code:? 3/)
      }
      const [after] = engine.stats().shards
      t.is(after?.generation, 4)
      for (const count of ['bytesRead', 'bytesWritten', 'reads', 'writes', 'wakes'] as const)
        t.true((after?.[count] ?? 0) >= (before?.[count] ?? Infinity), count)
      t.is(engine.stats().ledger.byKind.shards.opened, 4)
      t.is(engine.stats().ledger.byKind.shards.released, 3)
    } finally {
      log.stop()
    }
  })
}
