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
const [p50, p99] = [50, 99].map((percentile) => (delay.percentile(percentile) / 1e6).toFixed(1))
console.log(`a timer of 10 ms on main took ${p50} ms (p50), ${p99} ms (p99)`)
delay.disable()
await engine.close()
