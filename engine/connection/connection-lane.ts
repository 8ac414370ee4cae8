/** A lane as the connection over it sees it: its words, and what both halves of the connection go by. */
import { takeArmed, type LaneGrant } from '../protocol/lane.js'
import type { Role } from '../protocol/target.js'
import type { ConnectionSettings } from './connection-settings.js'
import { LaneHops } from './lane-hops.js'
import type { LaneHost, PendingReply } from './lane-host.js'

export interface ConnectionIdentity {
  readonly kind: string
  readonly endpoint: string
  readonly role: Role
  readonly halfClose: boolean
  /** Whether its bytes leave by a socket whose descriptor main can have a duplicate of. */
  readonly hasDescriptor: boolean
  /** Where shared memory was asked for: what carries the frames. */
  readonly memory?: 'shared' | 'socket' | undefined
}

let connections = 0

export class Lane {
  /** The connection's, unique within the process. */
  readonly id: string
  readonly host: LaneHost
  readonly grant: LaneGrant
  readonly settings: ConnectionSettings
  readonly identity: ConnectionIdentity
  readonly endpoint: string
  readonly words: Int32Array
  readonly base: number
  readonly pendingReply: PendingReply
  /** Undefined: they are not traced. */
  readonly hops: LaneHops | undefined

  constructor(host: LaneHost, grant: LaneGrant, settings: ConnectionSettings, identity: ConnectionIdentity) {
    this.host = host
    this.id = `${String(process.pid)}-${host.idPrefix}${String(++connections)}`
    this.grant = grant
    this.settings = settings
    this.identity = identity
    this.endpoint = identity.endpoint
    this.words = host.wordsOf(grant)
    this.base = host.baseOf(grant)
    const dialled = identity.role === 'dialled'
    this.pendingReply = { dialled, sentAt: 0, isAwaited: false, awaitedUntil: 0, memory: undefined }
    this.hops = settings.hops && new LaneHops(settings.hops, this)
  }

  load(word: number): number {
    return Atomics.load(this.words, this.base + word)
  }

  store(word: number, value: number): void {
    Atomics.store(this.words, this.base + word, value)
  }

  /** Takes a handshake word that the shard has armed. */
  takeArmed(word: number): boolean {
    return takeArmed(this.words, this.base + word)
  }

  /** Has the shard look at the lane. `busy`: main goes on with more of the same, and does not sleep now. */
  notify(busy = false): void {
    this.host.notify(this.grant.id, busy)
  }
}
