/** Usage: node server.js [ENDPOINT [SHARDS]]. Ends at SIGINT or SIGTERM. */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const [, , endpoint = 'local:sharded-handlers', shards = availableParallelism()] = process.argv

const engine = await createEngine({ shards: Number(shards) })
const listener = await engine.transport(endpoint).listen({
  handler: new URL('./handler.js', import.meta.url),
  data: { salt: 'of this server' },
})
const delay = monitorEventLoopDelay()
delay.enable()
console.log(`listening on ${listener.endpoint}`)

await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
for (const { shard, api } of listener.handlers) console.log(`shard ${shard} has served ${await api.served()}`)
console.log(`main's event loop: p99 of its timer, set to 10 ms: ${(delay.percentile(99) / 1e6).toFixed(1)} ms`)
delay.disable()
await engine.close()
