/** Shared memory without shards, between processes: sockets of the main thread, and nothing else of an engine. */
import { once } from 'node:events'
import net from 'node:net'
import { HandlerFailures } from '../../engine/common/handler-failures.js'
import { Ledger } from '../../engine/common/ledger.js'
import type { ConnectionSettings } from '../../engine/connection/connection-settings.js'
import type { ConnectionIdentity, LaneConnection } from '../../engine/connection/lane-connection.js'
import type { FoundMemory } from '../../engine/native/find-native-memory.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { findOnMain, onMain } from '../../engine/shared-memory/on-main.js'
import { SharedMemory } from '../../engine/shared-memory/shared-memory.js'
import { Doorbell } from '../../engine/wake/doorbell.js'
import { wakeStrategyOf, type WakePolicy } from '../../engine/wake/wake-policy.js'
import { SocketLane } from './socket-lane.js'
import { specOf } from './wire-bytes.js'

export interface LoneOptions {
  readonly wake: WakePolicy
  readonly firstRingBytes: number
  readonly mostRingBytes: number
  readonly find?: () => Promise<FoundMemory>
}

export const MAX_FRAME_BYTES = 1_048_576

export class LoneSharedMemory {
  readonly ledger = new Ledger()
  readonly #memory: SharedMemory
  readonly #settings: ConnectionSettings

  constructor({ wake, firstRingBytes, mostRingBytes, find }: LoneOptions) {
    const isReferenced = (): boolean => this.#memory.isReferenced
    const doorbell = new Doorbell(wakeStrategyOf(wake), isReferenced, () => performance.now())
    this.#memory = new SharedMemory({
      engine: '0',
      ledger: this.ledger,
      doorbell,
      initialRingBytes: firstRingBytes,
      maxRingBytes: mostRingBytes,
      find: () => findOnMain(find),
      ...onMain,
    })
    doorbell.add(this.#memory.bell)
    this.#settings = {
      engine: '0',
      framing: specOf('length', { maxFrameBytes: MAX_FRAME_BYTES }),
      maxFrameBytes: MAX_FRAME_BYTES,
      maxPendingBytes: 2 * MAX_FRAME_BYTES,
      maxRingBytes: mostRingBytes,
      frameTimeoutMs: undefined,
      closeTimeoutMs: 60_000,
      allowHalfOpen: false,
      inlineWrites: 'auto',
      inlineWriteBytes: 4096,
      failures: new HandlerFailures(systemClock, undefined),
      onOutlived: () => undefined,
      clock: systemClock,
    }
  }

  /** Of this side's rings and both first ones, in all connections. */
  get reservedBytes(): number {
    return this.#memory.stats().reservedBytes
  }

  async dial(path: string): Promise<LaneConnection> {
    const socket = net.connect({ path, allowHalfOpen: true })
    await once(socket, 'connect')
    return this.#memory.dial(new SocketLane(socket), this.#settings, identityOf('dialled'), 'shared')
  }

  /** Resolves once it listens. `onRefused`: a peer that went before there was a connection. */
  async listen(
    path: string,
    onConnection: (connection: LaneConnection) => void,
    onRefused?: (error: unknown) => void,
  ): Promise<net.Server> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.#memory
        .accept(new SocketLane(socket), this.#settings, identityOf('accepted'), 'shared')
        .then(onConnection, (error: unknown) => {
          if (onRefused === undefined) throw error
          onRefused(error)
        })
    })
    server.listen(path)
    await once(server, 'listening')
    return server
  }
}

function identityOf(role: 'dialled' | 'accepted'): ConnectionIdentity {
  return { kind: 'shm', endpoint: 'shm:/alone', role, halfClose: true, hasDescriptor: true }
}
