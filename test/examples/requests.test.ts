/** The requests example does what its page says. */
import { randomName } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withServer } from './example.js'

onPosix('requests: answers, errors, deadlines and cancellation', async (t) => {
  const endpoint = `local:${randomName()}`
  const given = 'a client does not wait any more'
  const lines = await withServer(t, 'requests/server.js', [endpoint], async (server) => {
    t.deepEqual(await runExample(t, 'requests/client.js', endpoint), [
      '1 + 2 = 3',
      'hello, client',
      'RemoteError EINVAL',
      'RemoteError -32601',
      'TransportError ERR_TIMEOUT',
      'TransportError ERR_ABORTED',
    ])
    await server.line(given)
    await server.line(given)
  })
  t.deepEqual(lines, [given, given])
})
