/** Usage: node client.js [FILE]. Has a language server check a JSON file, by default one with a mistake. */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { createEngine } from 'symphony-transport'
import { toJsonRpc } from 'symphony-transport/adapters'
import { createMessageConnection } from 'vscode-jsonrpc/node.js'

const server = createRequire(import.meta.url).resolve('vscode-json-languageserver/bin/vscode-json-languageserver')
const [, , file = new URL('./wrong.json', import.meta.url).pathname] = process.argv

const engine = await createEngine({ shards: 1 })
try {
  const endpoint = { kind: 'stdio', command: process.execPath, args: [server, '--stdio'] }
  const connection = await engine.transport(endpoint, { framing: 'content-length' }).connect()
  const { reader, writer } = toJsonRpc(connection)
  const rpc = createMessageConnection(reader, writer)
  const checked = new Promise((resolve, reject) => {
    rpc.onNotification('textDocument/publishDiagnostics', resolve)
    rpc.onClose(() => reject(new Error('the server has gone')))
  })
  rpc.listen()
  const { capabilities } = await rpc.sendRequest('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: { textDocument: { publishDiagnostics: {} } },
  })
  console.log(`the server can ${Object.keys(capabilities).length} things`)
  rpc.sendNotification('initialized', {})
  rpc.sendNotification('textDocument/didOpen', {
    textDocument: {
      uri: String(pathToFileURL(file)),
      languageId: 'json',
      version: 1,
      text: fs.readFileSync(file, 'utf8'),
    },
  })
  const { diagnostics } = await checked
  for (const { range, message } of diagnostics) console.log(`line ${range.start.line + 1}: ${message}`)
  await rpc.sendRequest('shutdown')
  rpc.sendNotification('exit')
  const { exitCode } = await connection.closed
  console.log(`the server ended with ${exitCode}`)
} finally {
  await engine.close()
}
