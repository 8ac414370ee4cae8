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
  /** Each connection begins with the handshake of shared memory, of which this end has none. */
  readonly shakes?: boolean
}

/** The frame that a dialler says first, and the answer that both go on over the socket, as docs/wire.md has them. */
const HELLO_BYTES = 4 + 40
const OFFER = Buffer.alloc(4 + 48)
OFFER.writeUInt32LE(48)
OFFER.write('SYMSHM\0\0\x02\x01', 4, 'latin1')

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

function shake(socket: net.Socket): void {
  socket.on('error', () => undefined)
  socket.once('readable', function look() {
    const hello = socket.read(HELLO_BYTES) as Buffer | null
    if (hello === null) {
      if (!socket.destroyed && !socket.readableEnded) socket.once('readable', look)
      return
    }
    socket.write(OFFER)
    serve(socket)
  })
}

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
  server = net
    .createServer(config.shakes === true ? shake : serve)
    .listen(config.path, () => process.send?.('listening'))
}

process.on('message', listen)
listen()
