/** Usage: node server.js [ENDPOINT]. Ends at SIGINT or SIGTERM. */
import { once } from 'node:events'
import process from 'node:process'
import { createBirpc } from 'birpc'
import { createEngine } from 'symphony-transport'
import { toBirpcChannel } from 'symphony-transport/adapters'

const [, , endpoint = 'local:birpc'] = process.argv

const engine = await createEngine({ shards: 1 })
const listener = await engine.transport(endpoint).listen((connection) => {
  const channel = toBirpcChannel(connection)
  const functions = {
    add: (a, b) => a + b,
    async countTo(last) {
      // The client's functions are called like ours.
      for (let number = 1; number <= last; number++) await client.counted(number)
      return 'done'
    },
    divide(a, b) {
      if (b === 0) throw new RangeError('nothing can be divided by zero')
      return a / b
    },
  }
  const client = channel.attach(createBirpc(functions, channel))
})
console.log(`listening on ${listener.endpoint}`)

await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await engine.close()
