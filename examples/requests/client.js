/** Usage: node client.js [ENDPOINT]. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'
import { requests } from 'symphony-transport/adapters'

const [, , endpoint = 'local:requests'] = process.argv

const engine = await createEngine({ shards: 1 })
const connection = await engine.transport(endpoint, { framing: 'line' }).connect()
const server = requests(connection, { handlers: { name: () => ({ name: 'client' }) } })

console.log('1 + 2 =', await server.call('add', { a: 1, b: 2 }))
console.log(await server.call('greetMe'))

// A RemoteError is what the server says. A TransportError says what happened to the call.
const say = ({ name, code }) => console.log(`${name} ${code}`)
await server.call('add', { a: 1, b: 'two' }).catch(say)
await server.call('subtract', { a: 1, b: 2 }).catch(say)

await server.call('sleep', { ms: 60_000 }, { timeoutMs: 100 }).catch(say)
const giveUp = new AbortController()
const call = server.call('sleep', { ms: 60_000 }, { signal: giveUp.signal })
giveUp.abort()
await call.catch(say)
await engine.close()
