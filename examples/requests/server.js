/** Usage: node server.js [ENDPOINT]. Ends at SIGINT or SIGTERM. */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { createEngine } from 'symphony-transport'
import { requests } from 'symphony-transport/adapters'

const [, , endpoint = 'local:requests'] = process.argv

const engine = await createEngine()
const listener = await engine.transport(endpoint, { framing: 'line' }).listen((connection) => {
  const client = requests(connection, {
    handlers: {
      add: ({ a, b }) => {
        if (typeof a !== 'number' || typeof b !== 'number')
          throw Object.assign(new Error('a and b are numbers'), { code: 'EINVAL' })
        return a + b
      },
      // The signal is aborted when the client gives up, and when it is gone.
      sleep: async ({ ms }, { signal }) => {
        try {
          await delay(ms, undefined, { signal })
        } catch (error) {
          console.log('a client does not wait any more')
          throw error
        }
      },
      // The server can ask too.
      greetMe: async () => `hello, ${(await client.call('name')).name}`,
    },
  })
})
console.log(`listening on ${listener.endpoint}`)

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => engine.close({ graceMs: 5_000 }))
