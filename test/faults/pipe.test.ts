/** A listener on a pipe is on one shard: what becomes of it when that one dies. On Windows only. */
import test from 'ava'
import { createEngine, type Connection, type TransportError } from '../../api/index.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { randomName } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
// There are no pipes elsewhere.
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
        const carriers: number[] = []
        await transport.listen((connection) => {
          carriers.push(connection.info.shard)
          connection.subscribe((frame) => connection.send(frame), { borrow: true })
        })
        const link = await transport.connect()
        link.send('before')
        t.is(String(await link.receive()), 'before')
        t.deepEqual(carriers, [0])
        const lost = nextEvent('shard.lost')
        await strike(engine, 0, 'exit')
        await lost
        t.true(['ERR_SHARD_LOST', 'ERR_RESET', 'OK'].includes((await link.closed).code))

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
        t.is(carriers.length, 2)
        t.is(carriers[1], shards - 1)
        t.is(engine.stats().listeners, 1)
      } finally {
        t.is((await engine.close({ graceMs: 0 })).leaked, 0)
      }
    },
  )
}
