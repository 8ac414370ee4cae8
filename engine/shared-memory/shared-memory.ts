/** What a thread shares with other processes: its connections over shared memory, and how they begin. */
import { events } from '../common/diagnostics.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { HandshakeLane } from '../connection/handshake-lane.js'
import { LaneConnection, type ConnectionIdentity } from '../connection/lane-connection.js'
import type { LaneDoorbell } from '../connection/lane-host.js'
import type { FoundMemory } from '../native/find-native-memory.js'
import type { NativeMemory } from '../native/native-memory.js'
import { memoryFailure } from '../protocol/allocation.js'
import type { BellSource } from '../wake/doorbell.js'
import { answer, drop, greet, type Agreed, type HandshakeParts, type MessageLane } from './handshake.js'
import { LaneWordTable } from './lane-words.js'
import { PolledLanes } from './polled-lanes.js'
import { SharedLane, type SharedLaneEnvironment } from './shared-lane.js'
import type { SharedMemoryStats } from './shared-memory-stats.js'
import type { SharedLedger } from './shared-ledger.js'

/** A lane that becomes a connection, or gives its socket up for one. */
export type ShakenLane = MessageLane & Pick<HandshakeLane, 'shard' | 'connect' | 'destroy'>

export interface SharedMemoryEnvironment extends Pick<SharedLaneEnvironment, 'idPrefix' | 'onTaken' | 'run'> {
  readonly engine: string
  readonly ledger: SharedLedger
  readonly doorbell: LaneDoorbell
  readonly initialRingBytes: number
  readonly maxRingBytes: number
  readonly find: () => Promise<FoundMemory>
}

export class SharedMemory {
  readonly #environment: SharedMemoryEnvironment
  readonly #polled = new PolledLanes()
  readonly #lanes = new Set<SharedLane>()
  readonly #laneEnvironment: SharedLaneEnvironment
  #finding: Promise<FoundMemory> | undefined
  #found: FoundMemory | undefined
  #references = 0
  /** Handshakes under way. */
  readonly #pending = new Set<Promise<LaneConnection>>()

  constructor(environment: SharedMemoryEnvironment) {
    this.#environment = environment
    const { doorbell, idPrefix, onTaken, run } = environment
    this.#laneEnvironment = {
      doorbell,
      idPrefix,
      onTaken,
      run,
      words: new LaneWordTable(),
      onPolled: (lane) => this.#polled.add(lane),
      keepAlive: (on) => {
        this.#references += on ? 1 : -1
      },
      onReleased: (lane) => this.#forget(lane),
    }
  }

  /** Of the lanes that main polls. */
  get bell(): BellSource {
    return this.#polled.source
  }

  get connections(): readonly LaneConnection[] {
    return [...this.#lanes].flatMap(({ connection }) => connection ?? [])
  }

  /** Whether a connection keeps the process alive. */
  get isReferenced(): boolean {
    return this.#references > 0
  }

  stats(): SharedMemoryStats {
    const found = this.#found
    return {
      state: found === undefined ? 'unknown' : found.memory === undefined ? 'unavailable' : 'available',
      provider: found?.memory?.provider,
      reason: found?.reason,
      connections: this.#lanes.size,
      segments: this.#lanes.size,
      reservedBytes: [...this.#lanes].reduce((sum, lane) => sum + lane.reservedBytes, 0),
    }
  }

  /** A shard is about to share memory of its own: finds out, for whoever asks, whether this process can. */
  look(): void {
    void this.#findNative()
  }

  /** `memory`: whether this side shares any. @throws {TransportError} ERR_HANDSHAKE, or as the lane. */
  dial(
    lane: ShakenLane,
    settings: ConnectionSettings,
    identity: ConnectionIdentity,
    memory: 'socket' | 'shared',
  ): Promise<LaneConnection> {
    return this.#track(this.#connect(lane, settings, identity, memory, greet))
  }

  /** @throws {TransportError} As `dial()`. */
  accept(
    lane: ShakenLane,
    settings: ConnectionSettings,
    identity: ConnectionIdentity,
    memory: 'socket' | 'shared',
  ): Promise<LaneConnection> {
    return this.#track(this.#connect(lane, settings, identity, memory, answer))
  }

  /** Resolves once no handshake is under way any more, nor what came of one: their lanes of shards are gone by now. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#pending)
    // One that was given up as it succeeded ends only now.
    const late = this.connections
    for (const connection of late) connection.destroy()
    await Promise.all(late.map((connection) => connection.closed))
  }

  #track(connecting: Promise<LaneConnection>): Promise<LaneConnection> {
    this.#pending.add(connecting)
    const forget = (): void => void this.#pending.delete(connecting)
    connecting.then(forget, forget)
    return connecting
  }

  async #connect(
    lane: ShakenLane,
    settings: ConnectionSettings,
    identity: ConnectionIdentity,
    memory: 'socket' | 'shared',
    agree: typeof greet,
  ): Promise<LaneConnection> {
    const { ledger, initialRingBytes, maxRingBytes } = this.#environment
    try {
      const native = memory === 'shared' ? await this.#findNative() : undefined
      const ringBytes = { firstRingBytes: initialRingBytes, mostRingBytes: maxRingBytes }
      const parts: HandshakeParts = { native, ledger, ...ringBytes }
      const agreed = await agree(lane, parts)
      if (agreed === undefined) return lane.connect(settings, { ...identity, memory: 'socket' })
      const shared = this.#laneOver(agreed, identity, lane.shard)
      const most = Math.min(settings.maxRingBytes, agreed.segment.sizes.at(-1) ?? 0)
      return this.#begin(shared, { ...settings, maxRingBytes: most }, { ...identity, memory: 'shared' })
    } catch (error) {
      lane.destroy()
      throw error
    }
  }

  /** @throws {TransportError} ERR_OUT_OF_MEMORY */
  #laneOver(agreed: NonNullable<Agreed>, { role, endpoint }: ConnectionIdentity, shard: number): SharedLane {
    try {
      return new SharedLane(this.#laneEnvironment, { ...agreed, role, shard })
    } catch (error) {
      drop(agreed)
      throw memoryFailure(error, endpoint) ?? error
    }
  }

  #begin(shared: SharedLane, settings: ConnectionSettings, identity: ConnectionIdentity): LaneConnection {
    this.#lanes.add(shared)
    this.#environment.ledger.open('connections')
    const connection = new LaneConnection(shared, shared.grant, settings, identity)
    shared.connection = connection
    // The peer may have published already, and the shard may have read the byte that says so.
    shared.revisit()
    return connection
  }

  #forget(lane: SharedLane): void {
    this.#lanes.delete(lane)
    this.#polled.delete(lane)
    this.#environment.ledger.release('connections')
    this.#environment.ledger.release('duplicates')
  }

  async #findNative(): Promise<NativeMemory | undefined> {
    this.#finding ??= this.#find()
    const found = await this.#finding
    return found.memory
  }

  async #find(): Promise<FoundMemory> {
    const found = await this.#environment.find()
    this.#found = found
    const { engine } = this.#environment
    if (found.reason !== undefined) events.sharedMemoryUnavailable.publish({ engine, reason: found.reason })
    return found
  }
}
