// Answers over a socket in a folder that two containers share: node server.js ENDPOINT
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [endpoint = 'unix:/run/echo/echo.sock'] = process.argv.slice(2)

const engine = await createEngine({ shards: 1 })
const listener = await engine.transport(endpoint).listen((connection) => {
  connection.subscribe((frame) => connection.send(`answer to ${frame}`))
})
console.log(`listening on ${listener.endpoint}`)

// As the first process of a container it gets no signal that it does not handle.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void engine.close())
