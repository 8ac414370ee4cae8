// A line editor: each line of stdin is typed into a view of the core, `.undo` deletes the last character, and the text
// is shown whenever the core sends it.
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createEngine } from 'symphony-transport'
import { createCoreClient } from './core-client.js'

// Give the path of a real xi-core to use that.
const [core] = process.argv.slice(2)
const [command, args] =
  core === undefined ? [process.execPath, [fileURLToPath(new URL('core.js', import.meta.url))]] : [core, []]

const engine = await createEngine({ shards: 1 })
const transport = engine.transport({ kind: 'stdio', command, args, stderr: 'inherit' }, { framing: 'line' })
const connection = await transport.connect()

/** Of each view, as the core has sent it. */
const views = new Map()

function show(view, { ops }) {
  // Real updates also keep (`copy`) and drop (`skip`) lines of the last one.
  const lines = []
  let old = 0
  for (const { op, n, lines: added } of ops) {
    if (op === 'ins') lines.push(...added.map(({ text }) => text))
    else if (op === 'copy') lines.push(...(views.get(view) ?? []).slice(old, (old += n)))
    else if (op === 'skip') old += n
  }
  views.set(view, lines)
  console.log(`${view}: ${JSON.stringify(lines.join(''))}`)
}

const client = createCoreClient(connection, (method, params) => {
  if (method === 'update') show(params.view_id, params.update)
  else if (method === 'alert') console.log(`alert: ${params.msg}`)
  else console.log(method)
})

client.notify('client_started')
const view = await client.request('new_view')
const edit = (method, params = []) => client.notify('edit', { view_id: view, method, params })

const input = createInterface({ input: process.stdin })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => input.close())
let isFirst = true
for await (const line of input) {
  if (line === '.undo') {
    edit('delete_backward')
    continue
  }
  if (!isFirst) edit('insert_newline')
  isFirst = false
  edit('insert', { chars: line })
}

client.notify('close_view', { view_id: view })
// Ends the core's stdin, and waits for its exit: what it has said until then is still shown.
const { code } = await connection.close()
const { leaked } = await engine.close()
console.log(`the core has ended: ${code}, ${leaked} leaked`)
