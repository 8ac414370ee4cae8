/** Usage: node server.js [PATH]. A server for clients of node-ipc. Ends at SIGINT or SIGTERM. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'
import { nodeIpcFraming, toNodeIpc } from 'symphony-transport/adapters'

// Where a client of node-ipc looks for a server whose id is "world".
const [, , path = '/tmp/app.world'] = process.argv
const peers = new Set()

const engine = await createEngine()
const listener = await engine.transport(`unix:${path}`, nodeIpcFraming).listen((connection) => {
  const peer = toNodeIpc(connection)
  peers.add(peer)
  peer.closed.then(() => peers.delete(peer))
  peer.on('app.message', ({ id, message }) => {
    console.log(`${id}: ${message}`)
    peer.emit('app.message', { id: 'world', message: `${message} world` })
  })
  // What `server.broadcast()` does.
  peer.on('app.everyone', (data) => {
    for (const one of peers) one.emit('app.everyone', data)
  })
})
console.log(`listening on ${listener.endpoint}`)

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => engine.close({ graceMs: 1_000 }))
