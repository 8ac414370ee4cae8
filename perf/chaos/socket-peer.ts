/**
 * A peer on a Unix socket, plain `net`. Argument: JSON of SocketPeerConfig. Says `listening` over IPC. On `listen` it
 * listens again, even if its socket file is gone. It ends with its parent.
 */
import '../harness/runner-end.js'
import fs from 'node:fs'
import net from 'node:net'
import process from 'node:process'
import { PeerConnection, type PeerHost } from './peer-connection.js'
import type { PeerFraming } from './peer-framing.js'
import { FileRecorder } from './record.js'

export interface SocketPeerConfig {
  readonly path: string
  readonly framing: PeerFraming
  readonly record: string
}

const config = JSON.parse(process.argv[2] ?? '{}') as SocketPeerConfig
let refused = 0
const host: PeerHost = {
  framing: config.framing,
  recorder: new FileRecorder(config.record),
  refuse: (count) => {
    refused = count
  },
}
let server: net.Server | undefined

function serve(socket: net.Socket): void {
  socket.on('error', () => undefined)
  if (refused > 0) {
    refused--
    socket.destroy()
    return
  }
  const peer = new PeerConnection(
    {
      write: (bytes) => {
        if (socket.write(bytes)) return
        socket.pause()
        socket.once('drain', () => socket.resume())
      },
      end: () => socket.end(),
      cut: () => socket.destroy(),
    },
    host,
  )
  socket.on('data', (chunk) => {
    peer.onBytes(chunk)
  })
}

function listen(): void {
  server?.close()
  fs.rmSync(config.path, { force: true })
  server = net.createServer(serve).listen(config.path, () => process.send?.('listening'))
}

process.on('message', listen)
listen()
