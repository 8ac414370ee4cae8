/** Connections that need no shard once they are there: whatever happens to the one that connected them, they go on. */
import type { ConnectionClosedEvent } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { EventLog, faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { digestOf, framesOf, randomLengths, receiveMany } from '../helpers/frames.js'
import { until } from '../helpers/turns.js'
import type { FaultSuite } from './fault-suite.js'
import { Meeting } from './meeting.js'

const RING_BYTES = 32_768
/** More than a ring holds. */
const flood = framesOf(randomLengths(60, 40_000, 5).map((length) => 5_000 + length))

export function outlivingTests({ test, faults }: FaultSuite): void {
  for (const fault of faults) {
    test(
      `${fault}: connections go on, with every frame and every pending call, and close as if nothing had been`,
      { ...faultyOptions(fault), initialRingBytes: RING_BYTES, maxRingBytes: RING_BYTES },
      async (t, world, engine) => {
        const log = new EventLog('connection.closed')
        const { meeting, listener } = await Meeting.open(world, engine)

        const unread = await meeting.connect()
        const there = framesOf([0, 10, 1_000, 7_000], 10)
        for (const frame of there) unread.dialled.send(frame)

        const receiving = await meeting.connect()
        const received = [receiving.dialled.receive(), receiving.accepted.receive()]

        const flooded = await meeting.connect()
        for (const frame of flood) flooded.dialled.send(frame)
        const ready = flooded.dialled.ready()

        const ending = await meeting.connect()
        for (const frame of flood) ending.dialled.send(frame)
        const ended = ending.dialled.end()

        const busy = await meeting.connect()
        let echoes = 0
        busy.accepted.subscribe((frame) => void busy.accepted.send(frame), { borrow: true })
        busy.dialled.subscribe(() => {
          echoes++
          busy.dialled.send('again')
        })
        busy.dialled.send('first')
        await until(() => echoes >= 20)

        const lost = nextEvent('shard.lost')
        const restored = nextEvent('shard.restored')
        await strike(engine, 0, fault)
        // A stuck shard is found by the work that it does not take up.
        const unheard = meeting.transport.connect()
        await lost
        if (fault === 'stuck') await rejects(t, unheard, 'ERR_SHARD_LOST')
        else await unheard.then((connection) => connection.destroy()).catch(() => undefined)
        t.is(engine.stats().connections >= 10, true)
        const before = echoes
        await until(() => echoes >= before + 20)

        t.is(digestOf(await receiveMany(unread.accepted, there.length)), digestOf(there))
        receiving.dialled.send('there')
        receiving.accepted.send('back')
        t.deepEqual((await Promise.all(received)).map(String), ['back', 'there'])
        t.is(digestOf(await receiveMany(flooded.accepted, flood.length)), digestOf(flood))
        await ready
        t.is(digestOf(await receiveMany(ending.accepted, flood.length)), digestOf(flood))
        await ended
        await restored
        const { accepted } = await meeting.connect()
        accepted.destroy()

        const pairs = [unread, receiving, flooded, ending, busy]
        const told = (): ConnectionClosedEvent[] => log.of<ConnectionClosedEvent>('connection.closed')
        const ids = pairs.flatMap((pair) => [pair.dialled.info.id, pair.accepted.info.id])
        t.deepEqual(
          told().filter(({ id }) => ids.includes(id)),
          [],
          'none has ended',
        )
        for (const pair of pairs) {
          if (pair !== busy) pair.accepted.subscribe(() => undefined)
          t.is((await pair.dialled.close()).code, 'OK')
          t.is((await pair.accepted.closed).code, 'OK')
        }
        log.stop()
        await listener.close()
        const { segments, mappings, connections, duplicates } = engine.stats().ledger.byKind
        await until(() => engine.stats().connections === 0)
        for (const line of [segments, mappings, connections, duplicates]) t.true(line.opened > 0)
        const open = engine.stats().ledger.byKind
        for (const line of [open.segments, open.mappings, open.connections, open.duplicates]) t.is(line.open, 0)
      },
    )
  }
}
