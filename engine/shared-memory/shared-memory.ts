/** The shared memory of one engine. A stand-in: both ends agree on the socket. */
import type { Ledger } from '../common/ledger.js'
import type { HandshakeLane } from '../connection/handshake-lane.js'
import type { ConnectionIdentity, LaneConnection } from '../connection/lane-connection.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import type { BellSource, Doorbell } from '../wake/doorbell.js'
import type { SharedMemoryStats } from './shared-memory-stats.js'

/** What frames may go through: `shared` where both ends can, else the socket. */
type Wanted = 'socket' | 'shared'

interface SharedMemoryEnvironment {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly doorbell: Doorbell
  readonly initialRingBytes: number
  readonly maxRingBytes: number
}

export class SharedMemory {
  readonly bell: BellSource = {
    listener: { take: () => undefined, park: () => true, unpark: () => undefined },
    visit: () => undefined,
  }
  readonly connections: readonly LaneConnection[] = []
  readonly isReferenced = false
  readonly environment: SharedMemoryEnvironment

  constructor(environment: SharedMemoryEnvironment) {
    this.environment = environment
  }

  async dial(
    lane: HandshakeLane,
    settings: ConnectionSettings,
    identity: ConnectionIdentity,
    memory: Wanted,
  ): Promise<LaneConnection> {
    lane.send(Buffer.from(`HELLO ${memory}`))
    await expect(lane, 'OFFER')
    lane.send(Buffer.from('ANSWER'))
    return lane.connect(settings, { ...identity, memory: 'socket' })
  }

  async accept(
    lane: HandshakeLane,
    settings: ConnectionSettings,
    identity: ConnectionIdentity,
    memory: Wanted,
  ): Promise<LaneConnection> {
    await expect(lane, 'HELLO')
    lane.send(Buffer.from(`OFFER ${memory}`))
    await expect(lane, 'ANSWER')
    return lane.connect(settings, { ...identity, memory: 'socket' })
  }

  stats(): SharedMemoryStats {
    return {
      state: 'unknown',
      provider: undefined,
      reason: undefined,
      connections: 0,
      segments: 0,
      reservedBytes: 0,
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

async function expect(lane: HandshakeLane, name: string): Promise<void> {
  const message = await lane.receive()
  if (!String(message).startsWith(name))
    throw new TransportError('ERR_HANDSHAKE', 'the peer says something else.', { endpoint: lane.endpoint })
}
