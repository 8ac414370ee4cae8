/** Usage: node client.js [PATH]. A client of a node-ipc server, or of server.js. */
import process from 'node:process'
import { createEngine } from 'symphony-transport'
import { nodeIpcFraming, toNodeIpc } from 'symphony-transport/adapters'

const [, , path = '/tmp/app.world'] = process.argv

const engine = await createEngine({ shards: 1 })
const peer = toNodeIpc(await engine.transport(`unix:${path}`, nodeIpcFraming).connect())
const answer = new Promise((resolve) => peer.once('app.message', resolve))
peer.emit('app.message', { id: 'symphony', message: 'hello' })
console.log((await answer).message)
await engine.close()
