/** Stand-in. */
import type { SocketHandle } from '../internals/socket-handle.js'
import type { ConnectionSettings } from './connection-settings.js'
import type { ConnectionIdentity } from './connection-lane.js'
import type { LaneConnection } from './lane-connection.js'

export interface HandshakeLane {
  readonly endpoint: string
  readonly shard: number
  send(message: Uint8Array): void
  receive(): Promise<Buffer>
  duplicate(): Promise<SocketHandle | undefined>
  leave(): Promise<void>
  connect(settings: ConnectionSettings, identity: ConnectionIdentity): LaneConnection
  destroy(): void
}
