/** An engine that is closed while its shards die, are dead, or do not answer. */
import { failBoots, faultyOptions, nextEvent, strike, strikeSoon } from '../helpers/faults.js'
import { turns } from '../helpers/turns.js'
import { rejects } from '../helpers/expected-errors.js'
import type { FaultSuite } from './fault-suite.js'
import { Meeting } from './meeting.js'

export function closingTests({ test }: FaultSuite): void {
  test(
    'closing an engine ends a stuck shard, and everything that waited for it',
    { shards: 2 },
    async (t, world, engine) => {
      const { meeting, listener } = await Meeting.open(world, engine)
      const pairs = [await meeting.connect(), await meeting.connect()]
      await strike(engine, 0, 'stuck')
      // Placement does not know of it yet, so some of these go to each shard.
      const connecting = Array.from({ length: 4 }, () => meeting.transport.connect()).map((promise) =>
        promise.then(
          () => 'connected',
          (error: unknown) => (error as { code: unknown }).code,
        ),
      )
      const listening = rejects(t, engine.transport((await world.endpoint()).endpoint).listen(), 'ERR_ENGINE_CLOSED')
      await turns(3)
      const report = await engine.close({ graceMs: 0 })
      t.is(report.leaked, 0, JSON.stringify(report.byKind))
      t.true((await Promise.all(connecting)).includes('ERR_ENGINE_CLOSED'))
      await listening
      t.deepEqual(await listener.closed, { code: 'OK' })
      for (const { dialled, accepted } of pairs) await Promise.all([dialled.closed, accepted.closed])
      t.deepEqual(
        engine.stats().shards.map(({ state, generation }) => [state, generation]),
        [
          ['stopped', 1],
          ['stopped', 1],
        ],
        'nothing was started again',
      )
    },
  )

  test('closing an engine ends a shard that does not come back up', {}, async (t, world, engine) => {
    const { meeting } = await Meeting.open(world, engine)
    failBoots('stuck')
    const lost = nextEvent('shard.lost')
    await strike(engine, 0, 'exit')
    await lost
    const connecting = rejects(t, meeting.transport.connect(), 'ERR_ENGINE_CLOSED')
    while (engine.stats().shards[0]?.state !== 'booting') await turns()
    const report = await engine.close({ graceMs: 0 })
    t.is(report.leaked, 0, JSON.stringify(report.byKind))
    await connecting
    t.is(engine.stats().shards[0]?.state, 'stopped')
  })

  test('an engine can be closed at any moment of a shard being replaced', {}, async (t, world) => {
    for (let delay = 0; delay < 40; delay += 8) {
      const engine = await world.newEngine({ ...faultyOptions(), shards: delay % 16 === 0 ? 1 : 2 })
      const { meeting } = await Meeting.open(world, engine)
      const pair = await meeting.connect()
      const lost = nextEvent('shard.lost')
      await strike(engine, 0, 'exit')
      await lost
      await turns(delay)
      const report = await engine.close()
      t.is(report.leaked, 0, `${String(delay)} turns after the loss: ${JSON.stringify(report.byKind)}`)
      await Promise.all([pair.dialled.closed, pair.accepted.closed])
    }
  })

  test('a shard can die at any moment of its engine being closed', {}, async (t, world) => {
    for (let delay = 0; delay < 6; delay++) {
      const engine = await world.newEngine({ ...faultyOptions(), shards: 1 + (delay % 2) })
      const { meeting, listener } = await Meeting.open(world, engine)
      const pair = await meeting.connect()
      pair.dialled.send('never taken')
      const closing = engine.close()
      await turns(delay)
      strikeSoon(engine, 0, 'throw')
      const report = await closing
      t.is(report.leaked, 0, `${String(delay)} turns after the call: ${JSON.stringify(report.byKind)}`)
      await Promise.all([pair.dialled.closed, pair.accepted.closed, listener.closed])
      t.deepEqual([...new Set(engine.stats().shards.map(({ state }) => state))], ['stopped'])
    }
  })
}
