/** The other shards of an engine in which one dies. */
import type { Connection, ShardEvent } from '../../api/index.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { digestOf, framesOf, receiveMany, sendAll } from '../helpers/frames.js'
import type { FaultSuite } from './fault-suite.js'
import { Meeting, type Pair } from './meeting.js'

const MOST_CONNECTIONS = 400

export function survivorTests({ test, faults, transport: { outlivesShards = false } }: FaultSuite): void {
  // Where connections are no load to their shards, only a dial under way makes the next one go to another.
  const atOnce = outlivesShards ? 4 : 1
  for (const fault of faults) {
    test(
      `${fault}: connections of the other shard go on, and both shards serve once it is back`,
      { ...faultyOptions(fault), shards: 2 },
      async (t, world, engine) => {
        const { meeting, listener } = await Meeting.open(world, engine)
        const pairs: Pair[] = []
        const wholly = (shard: number): Pair | undefined =>
          pairs.find(({ dialled, accepted }) => isOn(dialled, shard) && isOn(accepted, shard))
        while ((wholly(0) === undefined || wholly(1) === undefined) && pairs.length < MOST_CONNECTIONS)
          pairs.push(...(await Promise.all(Array.from({ length: atOnce }, () => meeting.connect()))))
        const survivor = wholly(1)
        const victim = wholly(0)
        if (survivor === undefined || victim === undefined) throw new Error('the kernel did not reach each shard')

        const before = engine.stats()
        const restored = nextEvent<ShardEvent>('shard.restored')
        const meanwhile = nextEvent('shard.lost').then(async () => {
          // In the very turn of the loss: nothing is back yet.
          const states = engine.stats().shards.map(({ state }) => state)
          const dialled = await world.connect(meeting.transport)
          return { states, dialled }
        })
        await strike(engine, 0, fault)
        // A stuck shard is found by the work that it does not take up.
        const unheard = fault === 'stuck' ? engine.transport('memory:unheard').listen() : undefined
        unheard?.catch(() => undefined)
        const { states, dialled } = await meanwhile
        t.deepEqual(states, ['restarting', 'up'])
        t.is(dialled.info.shard, 1)
        await exchange(await meeting.introduce(dialled))
        await exchange(survivor)

        t.deepEqual(await restored, { engine: engine.id, shard: 0, generation: 2 })
        const [back, other] = engine.stats().shards
        t.deepEqual([back?.state, back?.generation, other?.state, other?.generation], ['up', 2, 'up', 1])
        t.true((back?.bytesRead ?? 0) >= (before.shards[0]?.bytesRead ?? Infinity), 'counters go on')
        for (const { dialled: one, accepted: two } of pairs) {
          const touched = !outlivesShards && (isOn(one, 0) || isOn(two, 0))
          if (touched) await Promise.all([one.closed, two.closed])
          else t.deepEqual([one.send('still there'), two.send('here too')], [true, true])
        }
        await exchange(await meeting.connect(), 0)

        // The shard that came back is the least loaded, so it gets the next; the listener is put onto it in its own
        // time, which the watchdog bounds.
        const acceptedOn = new Set<number>()
        while (acceptedOn.size < 2) {
          const burst = await Promise.all(Array.from({ length: 5 }, () => meeting.connect()))
          t.true(burst.some((pair) => isOn(pair.dialled, 0)))
          for (const pair of burst) {
            acceptedOn.add(pair.accepted.info.shard)
            pair.accepted.destroy()
            pair.dialled.destroy()
          }
          // What is still closing counts as load.
          await Promise.all(burst.flatMap(({ accepted, dialled: one }) => [accepted.closed, one.closed]))
        }
        await exchange(survivor, 1)
        t.is(listener.stats().queued, 0)
      },
    )
  }

  async function exchange({ dialled, accepted }: Pair, skip = 0): Promise<void> {
    await Promise.all([receiveMany(accepted, skip), receiveMany(dialled, skip)])
    const frames = framesOf([0, 10, 50_000], 3)
    const [there] = await Promise.all([receiveMany(accepted, frames.length), sendAll(dialled, frames)])
    const [back] = await Promise.all([receiveMany(dialled, frames.length), sendAll(accepted, there)])
    if (digestOf(back) !== digestOf(frames)) throw new Error('other frames came back than were sent')
  }
}

function isOn(connection: Connection, shard: number): boolean {
  return connection.info.shard === shard
}
