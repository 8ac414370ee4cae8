// Asks workers in turn, and another one where one is away: node client.js NAME WORKERS REQUESTS
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [name = 'symphony-cluster', workers = '2', requests = '4'] = process.argv.slice(2)

const engine = await createEngine({ shards: 1 })
const transports = Array.from({ length: Number(workers) }, (_, i) => engine.transport(`local:${name}-${i + 1}`))

/** A connection to a worker: to this one, or else to the next that is there. */
async function connectFrom(first) {
  let failure
  for (let i = 0; i < transports.length; i++) {
    try {
      return await transports[(first + i) % transports.length].connect({ timeoutMs: 1_000 })
    } catch (error) {
      if (!error.retryable) throw error
      failure = error
    }
  }
  throw failure
}

for (let i = 0; i < Number(requests); i++) {
  const connection = await connectFrom(i)
  connection.send(`request ${i}`)
  console.log(String(await connection.receive()))
  await connection.close()
}
await engine.close()
