/** examples/http-over-shm as two processes. */
import process from 'node:process'
import test from 'ava'
import { randomName } from '../helpers/temporary-folder.js'
import { runExample, withServer } from './example.js'

const WATCHDOG_MS = 60_000

// There is no shared memory on Windows, and no signal by which a program ends by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('a fastify application answers through shared memory', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `shm:${randomName()}`
  const { end: exit, lines } = await withServer('http-over-shm/server.js', [endpoint], async () => {
    const { end, stdout, stderr } = await runExample('http-over-shm/client.js', [endpoint, '50'], WATCHDOG_MS)
    t.deepEqual([end, stderr], [0, ''])
    t.is(stdout, "{ hello: 'agent' }\n50 posts, 1325 characters\n")
  })
  t.is(exit, 0)
  t.deepEqual(lines, [`listening on ${endpoint}`])
})
