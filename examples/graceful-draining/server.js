/** Usage: node server.js [ENDPOINT [WORK_MS]]. At SIGINT or SIGTERM it takes no more, and ends what it has begun. */
import { once } from 'node:events'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { createEngine } from 'symphony-transport'

const GRACE_MS = 10_000

const [, , endpoint = 'local:graceful-draining', workMs = 2_000] = process.argv

const engine = await createEngine({ shards: 1 })
let atWork = 0
const listener = await engine.transport(endpoint).listen((connection) => {
  // The promise that this returns is what the end of the engine waits for.
  connection.subscribe(async (request) => {
    console.log(`begun ${request}`)
    atWork++
    await delay(Number(workMs))
    atWork--
    connection.send(`done ${request}`)
  })
})
console.log(`listening on ${listener.endpoint}`)

await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
console.log(`draining, ${atWork} at work`)
// Refuses connections from here on, waits for handlers, lets what they have sent leave, and closes the rest.
const { opened, released, leaked } = await engine.close({ graceMs: GRACE_MS })
console.log(`opened ${opened}, released ${released}, leaked ${leaked}`)
process.exitCode = leaked === 0 ? 0 : 1
