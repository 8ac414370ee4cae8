/** A listener on a pipe is on one shard: what happens when that shard dies. On Windows only. */
import test from 'ava'
import { createEngine, type Connection, type TransportError } from '../../api/index.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { randomName } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
// Other platforms have no pipes.
const onWindows = process.platform === 'win32' ? test.serial : test.serial.skip

failOnWarnings()

for (const shards of [1, 2]) {
  onWindows(
    `of ${String(shards)} shards the one that listens on a pipe dies, and one that is up takes the listener over`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      const engine = await createEngine({ ...faultyOptions(), shards })
      try {
        const transport = engine.transport(`pipe:${randomName()}`)
        const carryingShards: number[] = []
        await transport.listen((connection) => {
          carryingShards.push(connection.info.shard)
          connection.subscribe((frame) => connection.send(frame), { borrow: true })
        })
        const dialled = await transport.connect()
        dialled.send('before')
        t.is(String(await dialled.receive()), 'before')
        t.deepEqual(carryingShards, [0])
        const lost = nextEvent('shard.lost')
        await strike(engine, 0, 'exit')
        await lost
        t.true(['ERR_SHARD_LOST', 'ERR_RESET', 'OK'].includes((await dialled.closed).code))

        let again: Connection | undefined
        while (again === undefined) {
          again = await transport.connect().catch((error: unknown) => {
            const { code, retryable } = error as TransportError
            t.is(code, 'ERR_NOT_FOUND')
            t.true(retryable)
            return undefined
          })
        }
        again.send('after')
        t.is(String(await again.receive()), 'after')
        t.is(carryingShards.length, 2)
        t.is(carryingShards[1], shards - 1)
        t.is(engine.stats().listeners, 1)
      } finally {
        t.is((await engine.close({ graceMs: 0 })).leaked, 0)
      }
    },
  )
}
