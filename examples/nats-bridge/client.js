// Asks for the squares of so many numbers, and checks each answer.
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [, , endpoint = 'local:near', count = '100000'] = process.argv
const engine = await createEngine()
const connection = await engine.transport(endpoint, { framing: 'line', allowHalfOpen: true }).connect()
const asking = ask(Number(count))
let expected = 0
for await (const line of connection) {
  const { number, square } = JSON.parse(String(line))
  if (number !== expected || square !== number * number) throw new Error(`${line} came in place of ${expected}`)
  expected++
}
await asking
console.log(`${expected} answers, each once and in order`)
await engine.close()

async function ask(many) {
  for (let number = 0; number < many; number++) {
    if (!connection.send(JSON.stringify({ number }))) await connection.ready()
  }
  await connection.end()
}
