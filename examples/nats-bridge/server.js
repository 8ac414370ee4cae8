// Answers each line of JSON, { "number": 3 }, with { "number": 3, "square": 9 }.
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [, , endpoint = 'local:far'] = process.argv
const engine = await createEngine()
const listener = await engine.transport(endpoint, { framing: 'line', allowHalfOpen: true }).listen((connection) => {
  return answer(connection)
})
console.log(`listening on ${listener.endpoint}`)

async function answer(connection) {
  for await (const line of connection) {
    const { number } = JSON.parse(String(line))
    if (!connection.send(JSON.stringify({ number, square: number * number }))) await connection.ready()
  }
  await connection.close()
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void engine.close({ graceMs: 1_000 }))
