/** Usage: node client.js [ENDPOINT [REQUESTS]]. Asks with node:http, and with fetch() of undici. */
import { once } from 'node:events'
import http from 'node:http'
import process from 'node:process'
import { json } from 'node:stream/consumers'
import { createEngine } from 'symphony-transport'
import { createHttpAgent, toUndiciConnect } from 'symphony-transport/adapters'
import { Agent, fetch } from 'undici'

const [, , endpoint = 'shm:http', requests = 100] = process.argv

const engine = await createEngine({ shards: 1 })
const transport = engine.transport(endpoint, { framing: endpoint.startsWith('shm:') ? 'length' : 'raw' })
const agent = createHttpAgent(transport)
const dispatcher = new Agent({ connect: toUndiciConnect(transport), connections: 4 })
try {
  const [response] = await once(http.get('http://any/hello/agent', { agent }), 'response')
  console.log(await json(response))

  const ask = async (number) => {
    const body = JSON.stringify('x'.repeat(number))
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch('http://any/length', { method: 'POST', body, headers, dispatcher })
    return (await answer.json()).length
  }
  const lengths = await Promise.all(Array.from({ length: Number(requests) }, (_, number) => ask(number)))
  console.log(`${requests} posts, ${lengths.reduce((sum, length) => sum + length)} characters`)
} finally {
  agent.destroy()
  await dispatcher.close()
  await engine.close()
}
