/** The server of examples/mcp as a child and behind a socket, with the client beside it and with the SDK's own. */
import process from 'node:process'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import test from 'ava'
import { randomName } from '../helpers/temporary-folder.js'
import { examplePath, runExample, withServer } from './example.js'

const WATCHDOG_MS = 60_000
const SAID = /^tools: time\nit is \d{4}-\d\d-\d\dT[\d:.]+Z\n$/

// A program's own stdin and stdout, and signals by which it ends by itself, are those of POSIX.
const onPosix = process.platform === 'win32' ? test.skip : test.serial

onPosix('the MCP client starts the server as its child', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { end, stdout, stderr } = await runExample('mcp/client.js', [], WATCHDOG_MS)
  t.deepEqual([end, stderr], [0, ''])
  t.regex(stdout, SAID)
})

onPosix('the MCP client finds the server behind a socket', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = `local:${randomName()}`
  const { end: exit, lines } = await withServer('mcp/server.js', [endpoint], async () => {
    const { end, stdout, stderr } = await runExample('mcp/client.js', [endpoint], WATCHDOG_MS)
    t.deepEqual([end, stderr], [0, ''])
    t.regex(stdout, SAID)
  })
  t.is(exit, 0)
  t.deepEqual(lines, [`listening on ${endpoint}`])
})

onPosix("the SDK's own client transport starts the server, which ends with its stdin", async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = new StdioClientTransport({ command: process.execPath, args: [examplePath('mcp/server.js')] })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport)
  const { tools } = await client.listTools()
  t.deepEqual(
    tools.map(({ name }) => name),
    ['time'],
  )
  await client.close()
})
