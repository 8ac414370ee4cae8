/** Usage: node server.js [ENDPOINT]. Ends at SIGINT or SIGTERM, when the requests at work are done. */
import { once } from 'node:events'
import process from 'node:process'
import fastify from 'fastify'
import { createEngine } from 'symphony-transport'
import { serveHttp } from 'symphony-transport/adapters'

const [, , endpoint = 'shm:http'] = process.argv

const app = fastify()
let service
// Ends the listener, and lets requests at work finish.
app.addHook('preClose', () => service?.close({ graceMs: 5_000 }))
app.get('/hello/:name', (request) => ({ hello: request.params.name }))
app.post('/length', (request) => ({ length: JSON.stringify(request.body).length }))
await app.ready()

const engine = await createEngine({ shards: 1 })
service = await serveHttp(engine.transport(endpoint, { framing: frames(endpoint) }), app.server)
console.log(`listening on ${service.endpoint}`)

await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await app.close()
await engine.close()

/** Over sockets HTTP goes as it is, so that any client can use them. Shared memory has its own framing. */
function frames(text) {
  return text.startsWith('shm:') ? 'length' : 'raw'
}
