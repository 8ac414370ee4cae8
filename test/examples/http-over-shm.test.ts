/** examples/http-over-shm as two processes. */
import { randomName } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withServer } from './example.js'

onPosix('a fastify application answers through shared memory', async (t) => {
  const endpoint = `shm:${randomName()}`
  const lines = await withServer(t, 'http-over-shm/server.js', [endpoint], async () => {
    const said = await runExample(t, 'http-over-shm/client.js', endpoint, '50')
    t.deepEqual(said, ["{ hello: 'agent' }", '50 posts, 1325 characters'])
  })
  t.deepEqual(lines, [])
})
