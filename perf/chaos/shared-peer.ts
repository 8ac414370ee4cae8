/**
 * A peer that shares memory: an engine of its own, in a process of its own. Takes and says the same as socket-peer.ts.
 */
import '../harness/runner-end.js'
import process from 'node:process'
import { createEngine } from '../../api/index.js'
import { EnginePeer } from './engine-peer.js'
import type { SocketPeerConfig } from './socket-peer.js'

const { path, framing, record } = JSON.parse(process.argv[2] ?? '{}') as SocketPeerConfig
const engine = await createEngine({ shards: 1, initialRingBytes: 4_096, maxRingBytes: 131_072 })
const peer = await EnginePeer.listen(engine, `shm:${path}`, framing, record)

process.on('message', () => {
  void peer.listenAnew().then(() => process.send?.('listening'))
})
process.send?.('listening')
