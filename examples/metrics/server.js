/** Usage: node server.js [ENDPOINT [PORT]]. Ends at SIGINT or SIGTERM. */
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer } from 'node:http'
import process from 'node:process'
import pino from 'pino'
import client from 'prom-client'
import { createEngine } from 'symphony-transport'
import { promMetrics } from 'symphony-transport/metrics'
import { logEvents } from './log-events.js'

const [, , endpoint = 'local:metrics-example', port = 9464] = process.argv

const log = pino()
const stopLogging = logEvents(log)
const engine = await createEngine({
  onError: (error, context) => log.error({ err: error, ...context }, 'a function has failed'),
})
promMetrics(engine, { client, name: 'example' })

// Of this machine alone. Prometheus comes from elsewhere, as a rule: put a proxy before it, or another address here.
const web = createServer(async (request, response) => {
  if (request.url !== '/metrics') return response.writeHead(404).end()
  response.setHeader('content-type', client.register.contentType)
  return response.end(await client.register.metrics())
}).listen(Number(port), '127.0.0.1')
await once(web, 'listening')

const listener = await engine.transport(endpoint).listen((connection) => {
  connection.subscribe((frame) => {
    if (frame.equals(Buffer.from('fail'))) throw new Error('as was asked for')
    connection.send(frame)
  })
})
log.info({ endpoint: listener.endpoint, metrics: `http://127.0.0.1:${web.address().port}/metrics` }, 'ready')

await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
web.close()
web.closeAllConnections()
const { leaked } = await engine.close()
log.info({ leaked }, 'closed')
stopLogging()
