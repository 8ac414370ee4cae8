/** Usage: node server.js [ENDPOINT]. Keeps notes, and ends at SIGINT or SIGTERM. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'
import { json } from 'symphony-transport/adapters'

const [, , endpoint = 'local:json-server'] = process.argv
const notes = new Map()

/** What a client may send. What this throws is told to it, and nothing else happens. */
function validate(value) {
  if (typeof value?.note !== 'string') throw new Error('say which note: {"note": "name"}')
  return value
}

const engine = await createEngine()
const listener = await engine.transport(endpoint, { framing: 'line' }).listen((connection) => {
  const values = json(connection, {
    validate,
    onInvalid: (error) => values.send({ error: error.cause?.message ?? error.message }),
  })
  values.subscribe(async ({ note, text }) => {
    if (text !== undefined) notes.set(note, text)
    // The next value waits until there is room for this answer.
    if (!values.send({ note, text: notes.get(note) ?? null })) await values.ready()
  })
})
console.log(`listening on ${listener.endpoint}`)

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => engine.close({ graceMs: 5_000 }))
