/** Handlers that borrow may do anything to what they were lent. */
import test from 'ava'
import { detach } from '../../helpers/detach.js'
import { nativeMemories } from '../../helpers/native-memories.js'
import { SharedPair } from '../../helpers/shared-pair.js'

for (const native of nativeMemories) {
  test(`${native.provider}: a handler that takes the memory of its frame away takes it from nobody else`, async (t) => {
    // The first ring and the next ones, and a connection that has the same addresses afterwards.
    for (let round = 0; round < 2; round++) {
      const pair = await SharedPair.connect({ native, firstRingBytes: 4096 })
      try {
        const { dialled, accepted } = pair
        const frames: string[] = []
        const sizes = [0, 10, 3_000, 20_000, 100_000, 10]
        const done = new Promise<void>((resolve) => {
          accepted.subscribe(
            (frame) => {
              frames.push(`${String(frame.length)} ${String(frame[0])}`)
              detach(frame.buffer)
              accepted.send('taken')
              if (frames.length === sizes.length) resolve()
            },
            { borrow: true },
          )
        })
        for (const [i, size] of sizes.entries()) {
          dialled.send(Buffer.alloc(size, i))
          t.is(String(await dialled.receive()), 'taken')
        }
        await done
        t.deepEqual(
          frames,
          sizes.map((size, i) => `${String(size)} ${size === 0 ? 'undefined' : String(i)}`),
        )
        t.deepEqual(await Promise.all([dialled.close(), accepted.close()]), [{ code: 'OK' }, { code: 'OK' }])
      } finally {
        await pair.close()
      }
      t.is(pair.ledger.report().leaked, 0)
    }
  })
}
