/** Usage: node client.js [ENDPOINT [CONNECTIONS [REQUESTS]]]. Each connection has one request at a time. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [, , endpoint = 'local:sharded-handlers', connections = 8, requests = 200] = process.argv

const engine = await createEngine({ shards: 1 })
const transport = engine.transport(endpoint)
const served = new Map()
let next = 0

async function ask() {
  const connection = await transport.connect()
  while (next < Number(requests)) {
    connection.send(`password ${next++}`)
    const answer = await connection.receive()
    if (answer === undefined) throw new Error('the server has gone')
    const { shard } = JSON.parse(answer.toString())
    served.set(shard, (served.get(shard) ?? 0) + 1)
  }
  await connection.close()
}

const startedAt = performance.now()
await Promise.all(Array.from({ length: Number(connections) }, ask))
const seconds = (performance.now() - startedAt) / 1000
console.log(`${requests} answers, ${(Number(requests) / seconds).toFixed(0)} a second`)
for (const [shard, count] of [...served].sort()) console.log(`by shard ${shard}: ${count}`)
await engine.close()
