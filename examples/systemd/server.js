// A service that systemd starts when the first peer connects, and whose socket outlives each restart.
import process from 'node:process'
import { activatedEndpoints, createEngine } from 'symphony-transport'

// Started by hand, it listens on a path of its own.
const [endpoint = process.argv[2] ?? 'local:symphony-echo'] = activatedEndpoints()

const engine = await createEngine()
const listener = await engine.transport(endpoint).listen((connection) => {
  connection.subscribe((frame) => connection.send(frame))
})
console.log(`listening on ${listener.endpoint}`)

// systemd stops a service with SIGTERM. Who connects from here on waits for its next start.
process.once('SIGTERM', () => void engine.close())
process.once('SIGINT', () => void engine.close())
