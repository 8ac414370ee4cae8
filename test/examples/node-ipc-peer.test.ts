/** Processes of node-ipc and of this package on one socket, as the page of the example says. */
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withExample } from './example.js'

for (const [name, ...clients] of [
  ['server.js', 'node-ipc-client.js', 'client.js'],
  ['node-ipc-server.js', 'client.js'],
] as const) {
  onPosix(`node-ipc peer: clients get their answers from ${name}`, async (t) => {
    const folder = await makeTemporaryFolder()
    try {
      const path = folder.socketPath()
      const lines = await withExample(t, `node-ipc-peer/${name}`, [path], async (server) => {
        t.regex(await server.next(), /^listening on /)
        for (const client of clients) {
          t.deepEqual(await runExample(t, `node-ipc-peer/${client}`, path), ['hello world'])
        }
      })
      const said = clients.map((client) => (client === 'client.js' ? 'symphony: hello' : 'hello: hello'))
      t.deepEqual(lines.slice(1), said)
    } finally {
      await folder.remove()
    }
  })
}
