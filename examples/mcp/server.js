/** Usage: node server.js [ENDPOINT]. Without one it is a child that speaks over its stdin and stdout. */
import { once } from 'node:events'
import process from 'node:process'
import { createEngine } from 'symphony-transport'
import { toMcpTransport } from 'symphony-transport/adapters'
import { makeServer } from './make-server.js'

const [, , endpoint = 'stdio:'] = process.argv

const engine = await createEngine({ shards: 1 })
const transport = engine.transport(endpoint, { framing: 'line' })
const signalled = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])

if (endpoint === 'stdio:') {
  // Nothing else may write to stdout: messages for people go to stderr.
  const connection = await transport.connect()
  await makeServer().connect(toMcpTransport(connection))
  await Promise.race([connection.closed, signalled])
} else {
  const listener = await transport.listen((connection) => makeServer().connect(toMcpTransport(connection)))
  console.log(`listening on ${listener.endpoint}`)
  await signalled
}
await engine.close()
