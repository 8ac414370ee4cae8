/** Processes of node-ipc and of this package on one socket, as the page of the example says. */
import process from 'node:process'
import test from 'ava'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { serving } from './example-server.js'

// Windows has no signal that lets a process end by itself.
const onPosix = process.platform === 'win32' ? test.skip : test

for (const [server, ...clients] of [
  ['server.js', 'node-ipc-client.js', 'client.js'],
  ['node-ipc-server.js', 'client.js'],
] as const) {
  onPosix(`node-ipc peer: clients get their answers from ${server}`, async (t) => {
    const folder = await makeTemporaryFolder()
    try {
      const path = folder.socketPath()
      await serving(t, 'node-ipc-peer', [server, path], async ({ run, stop }) => {
        for (const client of clients) t.deepEqual(await run(client, path), ['hello world'])
        const said = clients.map((client) => (client === 'client.js' ? 'symphony: hello' : 'hello: hello'))
        t.deepEqual(await stop(), { end: 0, lines: said })
      })
    } finally {
      await folder.remove()
    }
  })
}
