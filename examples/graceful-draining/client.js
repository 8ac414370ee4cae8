/** Usage: node client.js [ENDPOINT [REQUESTS]]. Each request has a connection of its own, and all are made at once. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [, , endpoint = 'local:graceful-draining', requests = 5] = process.argv

const engine = await createEngine({ shards: 1 })
const transport = engine.transport(endpoint)

async function ask(number) {
  const connection = await transport.connect()
  connection.send(String(number))
  const answer = await connection.receive()
  await connection.close()
  return answer
}

const answers = await Promise.all(Array.from({ length: Number(requests) }, (_, i) => ask(i + 1)))
for (const answer of answers) console.log(String(answer))
// The server is on its way out: who comes now is told at once, and can go elsewhere.
const late = await ask('late').catch((error) => error.code)
console.log(`late: ${late}`)
await engine.close()
