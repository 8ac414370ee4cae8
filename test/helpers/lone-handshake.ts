/** A handshake whose shard is the test: the test changes the lane's words itself, and notifies. */
import { HandshakeLane, type HandshakeHost } from '../../engine/connection/handshake-lane.js'
import { LaneConnection, type ConnectionIdentity } from '../../engine/connection/lane-connection.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import { signal } from './turns.js'
import { LoneLane } from './lone-connection.js'

export const identity: ConnectionIdentity = {
  kind: 'unix',
  endpoint: 'unix:/x',
  role: 'dialled',
  halfClose: true,
  hasDescriptor: true,
}

export class LoneHandshake extends LoneLane {
  readonly handshake: HandshakeLane
  /** What comes of `duplicate()`. */
  readonly duplicate = signal<SocketHandle | undefined>()
  /** How often the lane was given back. */
  released = 0
  /** How many need the shard. */
  keptAlive = 0

  constructor() {
    super()
    const host: HandshakeHost = {
      ...this.host,
      keepAlive: (on) => {
        this.keptAlive += on ? 1 : -1
      },
      releaseLane: (grant) => {
        this.released++
        this.host.releaseLane(grant)
      },
      takeDuplicate: () => this.duplicate.promise,
      connect: (grant, settings, of) => new LaneConnection(host, grant, settings, of),
      releaseUnused: (grant) => {
        this.released++
        this.host.releaseLane(grant)
      },
    }
    this.handshake = new HandshakeLane(host, this.grant, this.settings, identity)
  }

  /** Frames that were sent to the peer, and that it had not taken. */
  takeSent(): string[] {
    const bytes = Buffer.alloc(this.consumer.refresh())
    this.consumer.read(bytes, 0, bytes.length)
    this.takeAll()
    const frames: string[] = []
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at)
      frames.push(String(bytes.subarray(at + 4, at + 4 + length)))
      at += 4 + length
    }
    return frames
  }
}
