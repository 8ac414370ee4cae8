/** Handler modules over shared memory, when their shards or their peers die. */
import test from 'ava'
import { createEngine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { moduleUrl } from '../helpers/module-url.js'
import { canShareMemory } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000

failOnWarnings()

const onShared = canShareMemory && process.platform === 'linux' ? test.serial : test.serial.skip

onShared('a shard that dies, and one that ends, leave nothing mapped, and nothing to warn of', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const child = ChildProgram.start('served-sharing', [folder.socketPath()])
  try {
    const { code, lines, stderr } = await child.exit
    t.deepEqual(
      [code, stderr, lines],
      [
        0,
        '',
        [
          'connected: something is mapped',
          'ERR_SHARD_LOST',
          'ERR_RESET',
          '10 others',
          'leaked 0',
          'leaked 0',
          'closed: nothing is mapped',
          'empty',
        ],
      ],
    )
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
})

onShared('a peer that is killed ends the connection of a module with ERR_RESET', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = `shm:${folder.socketPath()}`
  const engine = await createEngine({ shards: 1 })
  let child: ChildProgram | undefined
  try {
    const ends: unknown[] = []
    await engine.transport(endpoint).listen({
      handler: moduleUrl(`
        export default async (connection, { host }) => {
          connection.subscribe((frame) => void connection.send(frame))
          await host.ended((await connection.closed).code)
        }
      `),
      host: { ended: (code: unknown) => void ends.push(code) },
    })
    child = ChildProgram.start('shared-asker', [endpoint])
    await child.line('ping over shared')
    t.is(engine.stats().ledger.byKind.mappings.open, 1)
    child.kill('SIGKILL')
    await until(() => ends.length === 1)
    t.deepEqual(ends, ['ERR_RESET'])
    await until(() => engine.stats().ledger.byKind.mappings.open === 0)
  } finally {
    child?.kill('SIGKILL')
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
    await folder.remove()
  }
})
