/** How a listener is put onto one shard, and with which settings. */
import type { Outcome } from '../protocol/errors.js'
import type { FramingSpec } from '../protocol/framing.js'
import type { ListenTarget } from '../protocol/target.js'
import type { Shard } from '../shard/shard.js'
import type { BoundSocket } from '../sockets/bound-socket.js'

/** How one shard listens. */
export interface ShardListening {
  /** `socket`: what main has bound for it. */
  listen(request: ShardListenRequest, socket: BoundSocket | undefined): Promise<Outcome>
  /** Accepts again after it had stopped. */
  resume(listenerId: number, target: ListenTarget, socket: BoundSocket | undefined): Promise<Outcome>
  unlisten(listenerId: number): Promise<void>
  /** The listener is being closed while `listen()` is under way: that need not go on. */
  abandon?(listenerId: number): void
  /** The shard is gone. */
  lost?(): void
}

export interface ShardListenRequest {
  readonly listenerId: number
  readonly target: ListenTarget
  readonly backlog: number
  /** Framing of its connections. */
  readonly framing: FramingSpec
  /** How many accepted connections may wait to be taken on one shard before it stops accepting. */
  readonly maxQueued: number
}

export interface BindingSettings extends ShardListenRequest {
  readonly on: (shard: Shard) => ShardListening
  readonly endpoint: string
  /** Mode of the socket file. */
  readonly mode: number
}
