/**
 * The far side of `npm run perf -- bridge`: an engine that echoes, or counts, behind a bridge that dials; and the same
 * over NATS alone. Arguments: the server's URL, a local endpoint, a subject.
 */
import process from 'node:process'
import { connect } from '@nats-io/transport-node'
import { dialOverNats } from '../../api/bridge-nats/index.js'
import { createEngine } from '../../api/index.js'

const [, , servers = '', endpoint = '', subject = ''] = process.argv
const engine = await createEngine({ shards: 1 })
const transport = engine.transport(endpoint, { allowHalfOpen: true })
await transport.listen((connection) => {
  let count = 0
  connection.subscribe((frame) => {
    // An empty frame asks how many others came. One byte that is 1 in front asks for the frame itself.
    if (frame.length === 0) {
      connection.send(String(count))
      count = 0
    } else if (frame[0] === 1) connection.send(frame)
    else count++
  })
})
await dialOverNats({ nats: { servers }, transport, subject })
const nats = await connect({ servers })
let count = 0
nats.subscribe(`plain.${subject}`, {
  callback: (_error, message) => {
    if (message.data.length === 0) {
      message.respond(String(count))
      count = 0
    } else if (message.data[0] === 1) message.respond(message.data)
    else count++
  },
})
await nats.flush()
process.send?.('ready')
// Whoever has started it ends it.
process.once('disconnect', () => process.exit())
