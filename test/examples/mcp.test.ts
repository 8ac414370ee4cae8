/** The server of examples/mcp as the child of the client beside it, and behind a socket. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { toMcpTransport } from '../../api/adapters/index.js'
import { createEngine } from '../../api/index.js'
import { randomName } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withServer } from './example.js'

onPosix('the MCP client starts the server as its child', async (t) => {
  const [tools, time = ''] = await runExample(t, 'mcp/client.js')
  t.is(tools, 'tools: time')
  t.regex(time, /^it is \d{4}-\d\d-\d\dT[\d:.]+Z$/)
})

onPosix('the MCP server listens at a socket', async (t) => {
  const endpoint = `local:${randomName()}`
  const lines = await withServer(t, 'mcp/server.js', [endpoint], async () => {
    const engine = await createEngine({ shards: 1 })
    try {
      const client = new Client({ name: 'test', version: '1.0.0' })
      await client.connect(toMcpTransport(await engine.transport(endpoint, { framing: 'line' }).connect()))
      const { tools } = await client.listTools()
      t.deepEqual(
        tools.map(({ name }) => name),
        ['time'],
      )
      await client.close()
    } finally {
      await engine.close()
    }
  })
  t.deepEqual(lines, [])
})
