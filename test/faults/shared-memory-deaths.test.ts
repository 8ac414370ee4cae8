/** The process at the other end of shared memory is killed: what it had published is read, then the connection ends. */
import test from 'ava'
import { createEngine, type Connection } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { rejects } from '../helpers/expected-errors.js'
import { canShareMemory, hasMemfd, withoutMemfd } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
/** More than a ring holds. */
const FLOOD = Array.from({ length: 40 }, (_, i) => Buffer.alloc(8_000, i))

failOnWarnings()

const declare = canShareMemory ? test.serial : test.serial.skip

for (const isByPath of hasMemfd ? [false, true] : [true]) {
  declare(`a peer is killed, whose memory was reached by ${isByPath ? 'a path' : 'its descriptor'}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    withoutMemfd(isByPath)
    const folder = await makeTemporaryFolder()
    const [theirs, ours] = [folder.socketPath(), folder.socketPath()]
    const engine = await createEngine({ shards: 1, initialRingBytes: 4096, maxRingBytes: 8192 })
    const child = ChildProgram.start('silent-shared-peer', [`shm:${theirs}`, `shm:${ours}`])
    try {
      const listener = await engine.transport(`shm:${ours}`).listen()
      const accepted = await listener.accept()
      const dialled = await engine.transport(`shm:${theirs}`).connect()
      if (accepted === undefined) throw new Error('the listener closed')
      const connections: readonly Connection[] = [dialled, accepted]
      await child.line('sent')
      for (const { info } of connections) t.is(info.memory, 'shared')
      for (const connection of connections) for (const frame of FLOOD) connection.send(frame)
      const ready = rejects(t, dialled.ready(), 'ERR_CLOSED')
      const ended = accepted.end()
      child.kill('SIGKILL')
      t.is(((await ready).cause as { code?: unknown }).code, 'ERR_RESET')
      await ended
      for (const connection of connections) {
        for (const frame of ['one', 'two', 'three']) t.is(String(await connection.receive()), frame)
        await rejects(t, connection.receive(), 'ERR_RESET')
        t.is((await connection.closed).code, 'ERR_RESET')
      }
      await until(() => engine.stats().connections === 0)
      const { segments, mappings, duplicates, lanes } = engine.stats().ledger.byKind
      t.deepEqual([segments.open, mappings.open, duplicates.open, lanes.open], [0, 0, 0, 0])
    } finally {
      withoutMemfd(false)
      child.kill('SIGKILL')
      t.is((await engine.close({ graceMs: 0 })).leaked, 0)
      await folder.remove()
    }
  })
}
