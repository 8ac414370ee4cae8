// Asks once a second, also across restarts of the server: node client.js ENDPOINT [REQUESTS [PAUSE_MS]]
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import { createEngine } from 'symphony-transport'

const [endpoint = 'unix:/run/echo/echo.sock', requests = 'Infinity', pauseMs = '1000'] = process.argv.slice(2)

const engine = await createEngine({ shards: 1 })
// Compose starts both at once: until the server listens, frames wait here.
const connection = engine.transport(endpoint).reconnecting({
  onLoss: ({ isFinal }) => {
    if (!isFinal) console.log('the server went away')
  },
})
let isEnding = false
for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, () => {
    isEnding = true
    void engine.close()
  })
connection.subscribe((frame) => console.log(String(frame)))

for (let i = 1; i <= Number(requests) && !isEnding; i++) {
  connection.send(`request ${i}`)
  await pause(Number(pauseMs))
}
await engine.close()
