/** Usage: node client.js [ENDPOINT [FRAME...]]. Prints what comes back. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [, , endpoint = 'local:metrics-example', ...given] = process.argv
const frames = given.length > 0 ? given : ['one', 'two', 'three']

const engine = await createEngine({ shards: 1 })
const connection = await engine.transport(endpoint).connect()
for (const frame of frames) connection.send(frame)
for (let i = 0; i < frames.length; i++) {
  // A server that fails over a frame cuts the connection.
  const answer = await connection.receive().catch((error) => error.code)
  console.log(String(answer))
  if (typeof answer === 'string' || answer === undefined) break
}
await connection.close()
await engine.close()
