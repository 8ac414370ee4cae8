/**
 * The lanes of connections that this shard serves itself. Both sides of each lane are here: the pump, and the
 * connection, which is the same class as on main. So words and rings are this thread's alone, and their memory comes
 * from a store of its own.
 */
import { threadId } from 'node:worker_threads'
import { LaneConnection, type ConnectionIdentity } from '../../engine/connection/lane-connection.js'
import type { ConnectionSettings } from '../../engine/connection/connection-settings.js'
import { HandshakeLane, type HandshakeHost } from '../../engine/connection/handshake-lane.js'
import type { NotifyHandler } from '../../engine/connection/lane-host.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import { LaneAllocator } from '../../engine/memory/lane-allocator.js'
import { RegionAllocator } from '../../engine/memory/region-allocator.js'
import { RegionGrowth } from '../../engine/memory/region-growth.js'
import { SlabStore } from '../../engine/memory/slab-store.js'
import type { Clock } from '../../engine/protocol/clock.js'
import { HEADER_SLAB_BYTES, type LaneGrant } from '../../engine/protocol/lane.js'
import { regionSizeFor, SLAB_BYTES } from '../../engine/protocol/ring-layout.js'
import type { SlabTable } from '../../engine/protocol/slab-table.js'
import type { Role, TransportKind } from '../../engine/protocol/target.js'
import type { Pump } from '../lanes/pump.js'
import { Pumps } from '../lanes/pumps.js'
import type { Meter } from '../meter.js'
import type { OwnLoad } from '../own-load.js'
import { collectGarbage } from '../retired-memory.js'
import type { HandlerMeter } from './handler-meter.js'
import { ShardDoorbell } from './shard-doorbell.js'

/** Another descriptor of a socket, the caller's own. Undefined: there is none to be had. */
type Duplicate = (socket: SocketHandle) => SocketHandle | undefined

export interface TakenLane {
  readonly grant: LaneGrant
  readonly pump: Pump
}

export class ServedLanes implements HandshakeHost {
  readonly shard: number
  /** Shards of other engines count too, and so does the next life of this one: Node numbers threads once. */
  readonly idPrefix = `${String(threadId)}.`
  readonly doorbell: ShardDoorbell
  readonly inline = undefined
  readonly fetches = undefined
  readonly #regions: RegionAllocator
  readonly #growth: RegionGrowth
  readonly #lanes: LaneAllocator
  readonly #pumps: Pumps
  readonly #carried: (NotifyHandler | undefined)[] = []
  readonly #handlerMeter: HandlerMeter
  readonly #duplicate: Duplicate

  constructor(
    shard: number,
    meter: Meter,
    handlerMeter: HandlerMeter,
    load: OwnLoad,
    clock: Clock,
    duplicate: Duplicate,
  ) {
    this.#duplicate = duplicate
    this.shard = shard
    this.#handlerMeter = handlerMeter
    this.doorbell = new ShardDoorbell((laneId) => this.#carried[laneId], handlerMeter)
    const pumps = new Pumps(this.doorbell, meter, load)
    this.#pumps = pumps
    const slabs = new SlabStore(SLAB_BYTES, clock, collectSoon)
    const headers = new SlabStore(HEADER_SLAB_BYTES, clock, undefined)
    this.#regions = new RegionAllocator(
      {
        addSlab: (slab) => {
          pumps.slabs.add(slab)
          return Promise.resolve()
        },
        removeSlab: (id) => void pumps.slabs.remove(id),
      },
      slabs,
    )
    this.#growth = new RegionGrowth(this.#regions, clock)
    this.#lanes = new LaneAllocator(this.#regions, headers, (memory) => pumps.lanes.addHeaders(memory))
  }

  get slabs(): SlabTable {
    return this.#regions.table
  }

  wordsOf(grant: LaneGrant): Int32Array {
    return this.#lanes.table.wordsOf(grant.id)
  }

  baseOf(grant: LaneGrant): number {
    return this.#lanes.table.baseOf(grant.id)
  }

  readonly onTaken = (frames: number, bytes: number): void => this.#handlerMeter.onTaken(frames, bytes)

  readonly notify = (laneId: number): void => this.#pumps.onNotify(laneId)

  /**
   * A lane, whose pump is to be attached to a wire.
   * @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY; then nothing was taken.
   */
  take(kind: TransportKind, role: Role, ringBytes: number): TakenLane {
    const grant = this.#lanes.take(ringBytes)
    this.#handlerMeter.open('lanes')
    this.#countRegions()
    return { grant, pump: this.#pumps.open(grant.id, role, kind) }
  }

  /** The lane was never attached to a wire. */
  abandon({ grant, pump }: TakenLane): void {
    pump.abandon()
    this.#giveLane(grant)
  }

  /** The connection gives its lane back when it is over. */
  connect(grant: LaneGrant, settings: ConnectionSettings, identity: ConnectionIdentity): LaneConnection {
    const connection = new LaneConnection(this, grant, settings, identity)
    this.#carry(grant, connection)
    this.#handlerMeter.open('connections')
    return connection
  }

  /** For messages that come before a connection. The lane is given back when they are over, unless they end in one. */
  shake(grant: LaneGrant, settings: ConnectionSettings, identity: ConnectionIdentity): HandshakeLane {
    const handshake = new HandshakeLane(this, grant, settings, identity)
    this.#carry(grant, handshake)
    return handshake
  }

  releaseUnused(grant: LaneGrant): void {
    this.#carried[grant.id] = undefined
    this.#giveLane(grant)
  }

  takeDuplicate(laneId: number): Promise<SocketHandle | undefined> {
    const socket = this.#pumps.writerOf(laneId)
    return Promise.resolve(socket && this.#duplicate(socket))
  }

  takeRegion(bytes: number, onKnown: () => void): number | undefined {
    const region = this.#growth.take(regionSizeFor(bytes), onKnown)
    if (region !== undefined) this.#countRegions()
    return region
  }

  giveRegion(regionId: number): void {
    this.#regions.give(regionId)
    this.#countRegions()
  }

  /** Nothing that this thread has read is unknown to it. */
  turned(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  releaseLane(grant: LaneGrant): void {
    this.#handlerMeter.release('connections')
    this.releaseUnused(grant)
  }

  /** The listener keeps the process alive while it is open, and main while connections of a closed one are. */
  keepAlive(): void {
    return undefined
  }

  #carry(grant: LaneGrant, user: NotifyHandler): void {
    this.#carried[grant.id] = user
    // The lane may have been notified before it carried anything.
    this.doorbell.notify(grant.id)
  }

  #giveLane(grant: LaneGrant): void {
    this.#lanes.give(grant)
    this.#handlerMeter.release('lanes')
    this.#countRegions()
  }

  #countRegions(): void {
    const { regionsInUse, memoryBytes, bytesInUse } = this.#regions
    this.#handlerMeter.onMemory(regionsInUse, memoryBytes, bytesInUse)
  }
}

/** No other thread has seen the memory: it is dropped first, then collected. */
function collectSoon(): Promise<boolean> {
  setImmediate(() => void collectGarbage())
  return Promise.resolve(true)
}
