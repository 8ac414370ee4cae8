/** Usage: node client.js [ENDPOINT]. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'
import { json } from 'symphony-transport/adapters'

const [, , endpoint = 'local:json-server'] = process.argv

const engine = await createEngine({ shards: 1 })
const values = json(await engine.transport(endpoint, { framing: 'line' }).connect())

values.send({ note: 'shopping', text: 'bread\nand milk' })
values.send({ note: 'shopping' })
values.send({ note: 'holidays' })
values.send('what?')
// No more from us: once the server has answered all of it, it ends its side too, and the loop is over.
await values.end()
for await (const answer of values) console.log(JSON.stringify(answer))
await engine.close()
