/** A utility process: it serves a local endpoint, which it tells the main process, until it is told to stop. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'

const engine = await createEngine({ shards: 1 })
const endpoint = `local:electron-${process.pid}`
await engine.transport(endpoint).listen((connection) => {
  connection.subscribe((frame) => connection.send(`process ${process.pid} got ${frame}`))
})
process.parentPort.on('message', ({ data }) => {
  if (data !== 'stop') return
  // The port to the main process would keep this one alive.
  void engine.close().then(() => process.exit())
})
process.parentPort.postMessage(endpoint)
