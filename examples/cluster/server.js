// Workers of the cluster module, each with an endpoint of its own: NAME-1, NAME-2, and so on.
import cluster from 'node:cluster'
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const name = process.argv[2] ?? 'symphony-cluster'
const WORKERS = Number(process.argv[3] ?? 2)

if (cluster.isPrimary) await lead()
else await serve(Number(process.env['SLOT']))

async function lead() {
  const slots = new Map()
  let isEnding = false
  const start = (slot) => slots.set(cluster.fork({ SLOT: String(slot) }).id, slot)
  for (let slot = 1; slot <= WORKERS; slot++) start(slot)
  // A worker that dies is replaced by one with the same endpoint, so that clients need to know no more than the name.
  cluster.on('exit', (worker) => {
    const slot = slots.get(worker.id)
    slots.delete(worker.id)
    if (!isEnding) start(slot)
  })
  const end = () => {
    isEnding = true
    for (const worker of Object.values(cluster.workers ?? {})) worker.process.kill('SIGTERM')
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
}

async function serve(slot) {
  const engine = await createEngine({ shards: 1 })
  const listener = await engine.transport(`local:${name}-${slot}`).listen((connection) => {
    connection.subscribe((frame) => connection.send(`worker ${slot}, process ${process.pid}: ${frame}`))
  })
  console.log(`listening on ${listener.endpoint}`)
  const end = async () => {
    await engine.close()
    process.disconnect()
  }
  process.once('SIGTERM', () => void end())
  // Ctrl+C reaches all of them; the primary says when to end.
  process.on('SIGINT', () => undefined)
}
