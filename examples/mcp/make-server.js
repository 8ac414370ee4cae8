/** What the server can do. Each connection gets a server of its own: one has one session. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'

export function makeServer() {
  const server = new McpServer({ name: 'clock', version: '1.0.0' })
  server.registerTool('time', { description: 'Says what time it is.' }, () => ({
    content: [{ type: 'text', text: new Date().toISOString() }],
  }))
  return server
}
