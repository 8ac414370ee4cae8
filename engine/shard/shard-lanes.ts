/** The lanes of one shard: their memory, and the connections that they carry. */
import { isMainThread } from 'node:worker_threads'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { InlineBudget } from '../connection/inline-budget.js'
import { LaneConnection, type ConnectionIdentity } from '../connection/lane-connection.js'
import { HandshakeLane, type HandshakeHost } from '../connection/handshake-lane.js'
import type { InlineHost, LaneHost, NotifyHandler } from '../connection/lane-host.js'
import type { Ledger } from '../common/ledger.js'
import { LaneAllocator } from '../memory/lane-allocator.js'
import { RegionAllocator } from '../memory/region-allocator.js'
import { RegionGrowth } from '../memory/region-growth.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import { memoryFailure } from '../protocol/allocation.js'
import type { Clock } from '../protocol/clock.js'
import { count, counter } from '../protocol/counters.js'
import type { TransportError } from '../protocol/errors.js'
import type { LaneGrant } from '../protocol/lane.js'
import { regionSizeFor } from '../protocol/ring-layout.js'
import { passesDescriptors } from '../protocol/runtime.js'
import type { SlabTable } from '../protocol/slab-table.js'
import type { Doorbell } from '../wake/doorbell.js'
import { Duplicate } from './duplicate.js'
import type { ShardChannel } from './shard-channel.js'
import type { ShardEnvironment, ShardLife } from './shard-environment.js'

const { inlineWrites: INLINE_WRITES, inlineBytesWritten: INLINE_BYTES_WRITTEN } = counter
const { inlineReads: INLINE_READS, inlineBytesRead: INLINE_BYTES_READ } = counter

/**
 * Only where threads can pass them, and on the process's main thread: where another thread hosts the engine, what
 * carries duplicates makes Node close a number twice when that thread ends, and in between it may have become a
 * stranger's.
 */
const mayHaveDuplicates = isMainThread && passesDescriptors

/** One each way. */
const REGIONS_OF_NEW_LANE = 2

/** What a lane carries. */
interface LaneUser extends NotifyHandler {
  /** The shard is dead, and touches the lane no more. */
  onShardLost(error: TransportError): void
}

export class ShardLanes implements HandshakeHost {
  readonly shard: number
  readonly doorbell: Doorbell
  readonly notify: LaneHost['notify']
  readonly keepAlive: LaneHost['keepAlive']
  readonly inline: InlineHost | undefined
  readonly idPrefix = ''
  readonly fetches = undefined
  readonly onTaken = undefined
  /** What the rings of a new lane take. */
  readonly bytesPerLane: number
  readonly #ringBytes: number
  readonly #channel: ShardChannel
  readonly #onIdleLane: (laneId: number) => void
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #regions: RegionAllocator
  readonly #growth: RegionGrowth
  readonly #lanes: LaneAllocator
  readonly #carried: (LaneUser | undefined)[] = []
  #connections = 0

  /** `onIdleLane`: the shard has notified a lane that carries no connection. */
  constructor(
    life: Pick<ShardLife, 'index' | 'counters'>,
    channel: ShardChannel,
    onIdleLane: (laneId: number) => void,
    { settings, doorbell, ledger, clock, memory, inline }: ShardEnvironment,
  ) {
    this.shard = life.index
    this.doorbell = doorbell
    this.notify = channel.notify
    this.keepAlive = channel.keepAlive
    this.inline = mayHaveDuplicates ? inlineHostOf(life, channel, inline, this.visit) : undefined
    this.#ringBytes = settings.initialRingBytes
    this.bytesPerLane = REGIONS_OF_NEW_LANE * this.#ringBytes
    this.#channel = channel
    this.#onIdleLane = onIdleLane
    this.#ledger = ledger
    this.#clock = clock
    this.#regions = new RegionAllocator(
      {
        addSlab: (slab) => channel.control.announce('addSlab', slab),
        removeSlab: (id) => void channel.control.announce('removeSlab', id),
      },
      memory.slabs,
    )
    this.#growth = new RegionGrowth(this.#regions, clock)
    this.#lanes = new LaneAllocator(
      this.#regions,
      memory.headers,
      (headers) => void channel.control.announce('addHeaders', headers),
    )
  }

  get slabs(): SlabTable {
    return this.#regions.table
  }

  get inUse(): number {
    return this.#lanes.inUse
  }

  get connections(): readonly LaneConnection[] {
    return this.#carried.filter((user) => user instanceof LaneConnection)
  }

  stats(): { connections: number; ringMemoryBytes: number; ringMemoryInUseBytes: number } {
    return {
      connections: this.#connections,
      ringMemoryBytes: this.#regions.memoryBytes,
      ringMemoryInUseBytes: this.#regions.bytesInUse,
    }
  }

  wordsOf(grant: LaneGrant): Int32Array {
    return this.#lanes.table.wordsOf(grant.id)
  }

  baseOf(grant: LaneGrant): number {
    return this.#lanes.table.baseOf(grant.id)
  }

  readonly visit = (laneId: number): void => {
    const user = this.#carried[laneId]
    if (user === undefined) this.#onIdleLane(laneId)
    else if (user.onNotify()) this.doorbell.revisit(user)
  }

  /** For a dial. @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY; then nothing was taken. */
  take(endpoint: string): LaneGrant {
    try {
      const grant = this.takeIdle()
      this.#openInLedger()
      return grant
    } catch (error) {
      throw memoryFailure(error, endpoint) ?? error
    }
  }

  give(grant: LaneGrant): void {
    const before = this.#regions.regionsInUse
    this.#lanes.give(grant)
    this.#ledger.release('lanes')
    this.#ledger.release('regions', before - this.#regions.regionsInUse)
  }

  /** A lane that is not in the ledger: how many are lent to the shard depends on when listeners come and go. */
  takeIdle(): LaneGrant {
    return this.#lanes.take(this.#ringBytes)
  }

  giveIdle(grant: LaneGrant): void {
    this.#lanes.give(grant)
  }

  connectIdle(grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity): LaneConnection {
    this.#openInLedger()
    return this.connect(grant, options, identity)
  }

  shakeIdle(grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity): HandshakeLane {
    this.#openInLedger()
    return this.shake(grant, options, identity)
  }

  /** For messages that come before a connection. The lane is given back when they are over, unless they end in one. */
  shake(grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity): HandshakeLane {
    const handshake = new HandshakeLane(this, grant, options, identity)
    this.#carry(grant, handshake)
    return handshake
  }

  /** The connection gives its lane back when it is over. */
  connect(grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity): LaneConnection {
    const connection = new LaneConnection(this, grant, options, identity)
    this.#carry(grant, connection)
    this.#connections++
    this.#ledger.open('connections')
    return connection
  }

  releaseLane(grant: LaneGrant): void {
    this.#connections--
    this.#ledger.release('connections')
    this.releaseUnused(grant)
  }

  releaseUnused(grant: LaneGrant): void {
    this.#carried[grant.id] = undefined
    this.give(grant)
  }

  takeDuplicate(laneId: number): Promise<SocketHandle | undefined> {
    return mayHaveDuplicates ? this.#channel.descriptors.take(laneId) : Promise.resolve(undefined)
  }

  takeRegion(bytes: number, onKnown: () => void): number | undefined {
    const region = this.#growth.take(regionSizeFor(bytes), onKnown)
    if (region !== undefined) this.#ledger.open('regions')
    return region
  }

  giveRegion(regionId: number): void {
    this.#regions.give(regionId)
    this.#ledger.release('regions')
  }

  turned(): Promise<void> {
    return this.#channel.control.announce('turn')
  }

  /** The thread is gone, so that nothing else touches the memory: connections end, and the memory goes back. */
  lose(error: TransportError): void {
    this.#growth.end()
    for (const user of this.#carried) user?.onShardLost(error)
    // Pending dials give their lanes back in this turn; a connection that has ended holds no rings.
    this.#clock.nextTurn(() => {
      this.#regions.dispose()
      this.#lanes.dispose()
    })
  }

  #carry(grant: LaneGrant, user: LaneUser): void {
    this.#carried[grant.id] = user
    // The lane may have been notified before it carried anything.
    this.doorbell.revisit(user)
  }

  #openInLedger(): void {
    this.#ledger.open('lanes')
    this.#ledger.open('regions', REGIONS_OF_NEW_LANE)
  }
}

function inlineHostOf(
  life: Pick<ShardLife, 'counters'>,
  channel: ShardChannel,
  budget: InlineBudget,
  visit: (laneId: number) => void,
): InlineHost {
  return {
    budget,
    isShardAsleep: channel.isShardAsleep,
    duplicate: (laneId) => channel.descriptors.take(laneId).then((handle) => handle && new Duplicate(handle)),
    wrote: (bytes) => {
      count(life.counters, INLINE_WRITES, 1)
      count(life.counters, INLINE_BYTES_WRITTEN, bytes)
      channel.wroteInline()
    },
    didRead: (bytes) => {
      count(life.counters, INLINE_READS, 1)
      count(life.counters, INLINE_BYTES_READ, bytes)
    },
    visit,
  }
}
