/** A peer that speaks over its stdin and stdout. Argument: JSON of ChildPeerConfig. */
import net from 'node:net'
import process from 'node:process'
import { PeerConnection } from './peer-connection.js'
import type { PeerFraming } from './peer-framing.js'
import { FileRecorder } from './record.js'

export interface ChildPeerConfig {
  readonly framing: PeerFraming
  readonly record: string
}

const config = JSON.parse(process.argv[2] ?? '{}') as ChildPeerConfig
const stdin = new net.Socket({ fd: 0, readable: true, writable: false })
const stdout = new net.Socket({ fd: 1, readable: false, writable: true })
const leave = (): void => process.exit()

const peer = new PeerConnection(
  {
    write: (bytes) => {
      if (stdout.write(bytes)) return
      stdin.pause()
      stdout.once('drain', () => stdin.resume())
    },
    end: () => stdout.end(leave),
    cut: leave,
  },
  { framing: config.framing, recorder: new FileRecorder(config.record), refuse: () => undefined },
)
stdin.on('data', (chunk) => {
  peer.onBytes(chunk)
})
stdin.on('end', () => stdout.end(leave))
stdin.on('error', leave)
stdout.on('error', leave)
