/** The requests example does what its page says. */
import process from 'node:process'
import test from 'ava'
import { randomName } from '../helpers/temporary-folder.js'
import { serving } from './example-server.js'

// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('requests: answers, errors, deadlines and cancellation', async (t) => {
  const endpoint = `local:${randomName()}`
  await serving(t, 'requests', ['server.js', endpoint], async ({ run, said, stop }) => {
    t.deepEqual(await run('client.js', endpoint), [
      '1 + 2 = 3',
      'hello, client',
      'RemoteError EINVAL',
      'RemoteError -32601',
      'TransportError ERR_TIMEOUT',
      'TransportError ERR_ABORTED',
    ])
    const given = 'a client does not wait any more'
    t.deepEqual(await said(2), [given, given])
    t.deepEqual(await stop(), { end: 0, lines: [given, given] })
  })
})
