/** Shards that die more often than the restart option allows. In a separate process, because it emits warnings. */
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { canShareMemory } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000

failOnWarnings()

for (const kind of ['socket or pipe', 'memory'] as const) {
  test.serial(
    `${kind}: shards past their restart budget are given up, loudly, and the last one ends everything`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      const folder = await makeTemporaryFolder()
      const endpoint = (): string => (kind === 'memory' ? `memory:${randomName()}` : folder.endpoint())
      const child = ChildProgram.start('given-up-shards', [endpoint(), endpoint()])
      try {
        const { code, signal, lines, stderr } = await child.exit
        t.deepEqual([code, signal], [0, null], stderr)
        t.deepEqual(lines, [
          'given-up 2, up 1',
          ...[0, 1, 2, 3, 4].map((i) => `hello ${String(i)} on 1 and 1`),
          'given-up 2, restarting 1',
          'waiting connect: ERR_SHARD_LOST',
          'given-up 2, given-up 2',
          'listener: ERR_SHARD_LOST ERR_SHARD_LOST',
          'connect: ERR_SHARD_LOST',
          'listen: ERR_SHARD_LOST',
          'shard.lost 0 1 injected error',
          'shard.restored 0 2',
          'shard.lost 0 2 injected error',
          'shard.given-up 0 2 injected error',
          'shard.lost 1 1 worker exited with code: 3',
          'shard.lost 1 2 injected error while starting',
          'shard.given-up 1 2 injected error while starting',
          'listener.closed',
          'connections 0, listeners 0',
          'warning SYMPHONY_SHARD_GIVEN_UP: shard 0 died 2 times within 60000 ms and is not started again (injected error)',
          'warning SYMPHONY_SHARD_GIVEN_UP: shard 1 died 2 times within 60000 ms and is not started again (injected error while starting)',
          'leaked 0',
          'empty',
        ])
        t.notRegex(stderr, /unhandled/i)
        t.deepEqual(await folder.list(), [])
      } finally {
        child.kill('SIGKILL')
        await folder.remove()
      }
    },
  )
}

;(canShareMemory ? test.serial : test.serial.skip)(
  'a connection through shared memory goes on when the last shard is given up',
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const child = ChildProgram.start('given-up-shared-memory', [`shm:${folder.socketPath()}`])
    try {
      const { code, lines, stderr } = await child.exit
      t.is(code, 0, stderr)
      t.deepEqual(lines, [
        'listener ERR_SHARD_LOST',
        'connect ERR_SHARD_LOST',
        'still there',
        '200000',
        'closed OK',
        'leaked 0',
        'empty',
      ])
      t.deepEqual(await folder.list(), [])
    } finally {
      child.kill('SIGKILL')
      await folder.remove()
    }
  },
)
