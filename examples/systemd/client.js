// Asks once: node client.js ENDPOINT TEXT
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [endpoint = 'unix:/run/symphony-echo.sock', text = 'hello'] = process.argv.slice(2)

const engine = await createEngine({ shards: 1 })
const connection = await engine.transport(endpoint).connect()
connection.send(text)
console.log(String(await connection.receive()))
await connection.close()
await engine.close()
