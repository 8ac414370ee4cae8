/** Usage: node client.js [ENDPOINT]. Without one it starts the server as its child. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { createEngine } from 'symphony-transport'
import { toMcpTransport } from 'symphony-transport/adapters'

const server = fileURLToPath(new URL('./server.js', import.meta.url))
const [, , endpoint = { kind: 'stdio', command: process.execPath, args: [server] }] = process.argv

const engine = await createEngine({ shards: 1 })
try {
  const connection = await engine.transport(endpoint, { framing: 'line' }).connect()
  const client = new Client({ name: 'example', version: '1.0.0' })
  await client.connect(toMcpTransport(connection))
  const { tools } = await client.listTools()
  console.log(`tools: ${tools.map(({ name }) => name).join(', ')}`)
  const { content } = await client.callTool({ name: 'time' })
  console.log(`it is ${content[0].text}`)
  await client.close()
} finally {
  await engine.close()
}
