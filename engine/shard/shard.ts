/**
 * Main's side of one life of one shard: its memory, its bells, its control calls, the connections that it carries, its
 * death. What comes after the death is the supervisor's business.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { LaneConnection, type ConnectionIdentity } from '../connection/lane-connection.js'
import type { LaneHost } from '../connection/lane-host.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import { createAcceptLog } from '../protocol/accept-log.js'
import { BellListener, BellNotifier, createBellMemory } from '../protocol/bell.js'
import type { ListenerCallbacks, ListenRequest, ShardControl, MainCallbacks } from '../protocol/control.js'
import { readCounters, readDelay, type CounterName, type EventLoopDelay } from '../protocol/counters.js'
import { deserializeError, TransportError, type Outcome } from '../protocol/errors.js'
import type { LaneGrant } from '../protocol/lane.js'
import type { Ledger } from '../common/ledger.js'
import { memoryFailure } from '../protocol/allocation.js'
import { describeDenial, isDenied } from '../protocol/permission.js'
import type { SlabTable } from '../protocol/slab-table.js'
import { regionSizeFor } from '../protocol/ring-layout.js'
import type { TransportTarget } from '../protocol/target.js'
import type { Clock } from '../protocol/clock.js'
import { AcceptedConnections, type Arrival } from './accepted-connections.js'
import { ControlClient, exposeEvents } from './control-client.js'
import type { BellSource, Doorbell } from '../wake/doorbell.js'
import { LaneAllocator } from '../memory/lane-allocator.js'
import { offerWakeupSocket, type WakeupSocketHost } from '../wake/wakeup-socket-host.js'
import { releaseStdio } from './release-stdio.js'
import { RegionAllocator, type SlabSource } from '../memory/region-allocator.js'
import { RegionGrowth } from '../memory/region-growth.js'
import { ShardThread } from './shard-thread.js'
import { Watchdog } from './watchdog.js'

/** One each way. */
const REGIONS_OF_NEW_LANE = 2

export interface ShardSettings {
  readonly entry: string
  readonly initialRingBytes: number
  readonly bootTimeoutMs: number
  readonly stuckTimeoutMs: number
  readonly shardHeapMb: number
}

/** What listeners are told of their connections on a shard. */
export interface ArrivalEvents extends Omit<ListenerCallbacks, 'accepted'> {
  /** In the order in which they came. */
  arrived(listenerId: number, arrivals: readonly Arrival[]): void
}

/** Which shard, and which of its lives. */
export interface ShardLife {
  readonly shard: number
  /** Counts from 1. */
  readonly generation: number
  /** Goes on from life to life. */
  readonly counters: Float64Array
}

/** Where a shard's memory comes from, and goes to when it ends. */
export interface ShardMemory {
  /** Slabs that rings are cut from. */
  readonly slabs: SlabSource
  /** Headers of lanes. */
  readonly headers: SlabSource
}

/** What one connection attempt may be given up by. */
export interface DialControl {
  /** Called with a function that gives the dial up. */
  readonly onStarted: (abort: () => void) => void
  /** How long the dial may go on trying a listener whose backlog is full, in milliseconds. */
  readonly timeoutMs: number
}

/** A shard as `engine.stats()` shows it. */
export interface ShardStats extends Readonly<Record<CounterName, number>> {
  readonly shard: number
  /** `restarting`: it was lost and comes back. `given-up`: it was lost more often than the restart option allows. */
  readonly state: 'booting' | 'up' | 'stopping' | 'restarting' | 'given-up' | 'stopped'
  /** How often it was started. */
  readonly generation: number
  readonly connections: number
  /** Shared memory that the shard has for rings, in bytes, in slabs of 8 MiB; it becomes resident as it is used. */
  readonly ringMemoryBytes: number
  /** How much of it rings have, in bytes. */
  readonly ringMemoryInUseBytes: number
  readonly eventLoopDelay: EventLoopDelay
}

type State =
  { readonly kind: 'booting' } | { readonly kind: 'up' } | { readonly kind: 'stopping' } | { readonly kind: 'ended' }

export class Shard implements LaneHost {
  readonly shard: number
  readonly generation: number
  /** Settles once the shard is up, rejects with ERR_SHARD_BOOT. */
  readonly booted: Promise<void>
  /** Settles once the thread is gone and everybody concerned has been told; undefined: it was stopped. */
  readonly ended: Promise<TransportError | undefined>
  readonly #settings: ShardSettings
  readonly doorbell: Doorbell
  readonly #ledger: Ledger
  readonly #control: ControlClient
  readonly #notifier: BellNotifier
  readonly #bellPort: MessagePort
  readonly #wakeupSocketHost: WakeupSocketHost | undefined
  readonly #eventPort: MessagePort
  readonly #source: BellSource
  readonly #regions: RegionAllocator
  readonly #growth: RegionGrowth
  readonly #lanes: LaneAllocator
  readonly #carried: (LaneConnection | undefined)[] = []
  readonly #accepts: AcceptedConnections
  readonly #counters: Float64Array
  readonly #thread: ShardThread
  readonly #watch: Watchdog
  readonly #clock: Clock
  readonly #shardBellListener: BellListener
  #state: State = { kind: 'booting' }
  #keepAlive = 0
  #connections = 0

  constructor(
    life: ShardLife,
    doorbell: Doorbell,
    ledger: Ledger,
    settings: ShardSettings,
    memory: ShardMemory,
    eventsOf: (shard: Shard) => ArrivalEvents,
    clock: Clock,
  ) {
    this.shard = life.shard
    this.generation = life.generation
    this.#counters = life.counters
    this.#settings = settings
    this.doorbell = doorbell
    this.#ledger = ledger
    this.#clock = clock
    const control = new MessageChannel()
    const eventChannel = new MessageChannel()
    const bell = new MessageChannel()
    const shardBell = createBellMemory()
    const mainBell = createBellMemory()
    this.#bellPort = bell.port1
    this.#eventPort = eventChannel.port1
    this.#wakeupSocketHost = offerWakeupSocket(() => {
      doorbell.onWake(this.#source)
    })
    this.#notifier = new BellNotifier(shardBell, (busy) => {
      // A thread that is about to sleep wakes over the line, one that goes on over the port: see wake-line.ts.
      const line = busy || doorbell.isRunning ? undefined : this.#wakeupSocketHost?.line
      if (line?.wake() !== true) bell.port1.postMessage(0)
    })
    this.#source = {
      listener: new BellListener(mainBell),
      visit: (laneId) => {
        const connection = this.#carried[laneId]
        if (connection === undefined) this.#accepts.onNotify(laneId)
        else if (connection.onNotify()) doorbell.revisit(connection)
      },
      stayAwake: (on) => {
        this.#notifier.keepAwake(on)
      },
    }
    this.#control = new ControlClient(control.port1)
    this.#shardBellListener = new BellListener(shardBell)
    this.#watch = new Watchdog(
      {
        hasUntakenWork: () => this.#control.pendingCalls > 0 || this.#shardBellListener.hasNotifications,
        probe: () => this.#announce('ping'),
        onStuck: () => {
          this.#onStuck()
        },
      },
      settings.stuckTimeoutMs,
      clock,
    )
    this.#regions = new RegionAllocator(
      {
        addSlab: (slab) => this.#announce('addSlab', slab),
        removeSlab: (id) => void this.#announce('removeSlab', id),
      },
      memory.slabs,
    )
    this.#growth = new RegionGrowth(this.#regions, clock)
    this.#lanes = new LaneAllocator(
      this.#regions,
      memory.headers,
      (headers) => void this.#announce('addHeaders', headers),
    )
    const acceptLog = createAcceptLog()
    const news = eventsOf(this)
    this.#accepts = new AcceptedConnections(
      {
        call: (name, ...args) => this.#call(name, ...args),
        takeLane: () => this.#lanes.take(this.#settings.initialRingBytes),
        giveLane: (grant) => {
          this.#lanes.give(grant)
        },
        connect: (grant, options, identity) => {
          this.#bookLane()
          return this.#connect(grant, options, identity)
        },
        wordsOf: (grant) => this.wordsOf(grant),
        baseOf: (grant) => this.baseOf(grant),
        notify: (laneId) => {
          this.notify(laneId)
        },
      },
      acceptLog,
      2 * settings.initialRingBytes,
      (listenerId, arrivals) => {
        news.arrived(listenerId, arrivals)
      },
    )
    const events: MainCallbacks = {
      accepted: (listenerId, acceptIds) => {
        this.#accepts.onWaiting(listenerId, acceptIds)
      },
      // Whoever came before is told before.
      paused: (listenerId) => {
        this.#accepts.readLog()
        news.paused(listenerId)
      },
      listenerFailed: (listenerId, outcome) => {
        this.#accepts.readLog()
        news.listenerFailed(listenerId, outcome)
      },
      releaseStdio,
    }
    exposeEvents(events, eventChannel.port1)
    const boot = {
      shard: life.shard,
      generation: life.generation,
      control: control.port2,
      events: eventChannel.port2,
      bell: bell.port2,
      wakeupPath: this.#wakeupSocketHost?.path,
      shardBell,
      mainBell,
      acceptLog,
      counters: this.#counters,
    }
    this.#ledger.open('shards')
    this.#thread = new ShardThread(settings.entry, settings.shardHeapMb, boot, [
      control.port2,
      eventChannel.port2,
      bell.port2,
    ])
    this.booted = this.#boot(clock)
    this.ended = this.#thread.ended.then(
      () => this.#end(undefined),
      (cause: unknown) => this.#end({ cause }),
    )
  }

  get slabs(): SlabTable {
    return this.#regions.table
  }

  get isUp(): boolean {
    return this.#state.kind === 'up'
  }

  /** Connections carried and dials under way: what placement goes by. */
  get load(): number {
    return this.#lanes.inUse - this.#accepts.idleLanes
  }

  get connections(): readonly LaneConnection[] {
    return this.#carried.filter((connection) => connection !== undefined)
  }

  /** Dials on this shard. Rejects with the shard's death, or as the dial failed; `abort` ends it sooner. */
  async dial(
    target: TransportTarget,
    options: ConnectionSettings,
    identity: ConnectionIdentity,
    control: DialControl,
  ): Promise<LaneConnection> {
    const grant = this.#takeLane(identity.endpoint)
    this.#ledger.open('dials')
    let given = false
    try {
      control.onStarted(() => void this.#announce('abortDial', grant.id))
      const outcome = await this.#call('dial', {
        lane: grant,
        target,
        framing: options.framing,
        timeoutMs: control.timeoutMs,
      })
      if (!outcome.ok) throw deserializeError(outcome.error, identity.endpoint)
      given = true
      return this.#connect(grant, options, identity)
    } finally {
      this.#ledger.release('dials')
      if (!given) this.#giveLane(grant)
    }
  }

  listen(request: Omit<ListenRequest, 'counts'>): Promise<Outcome<void>> {
    return this.#accepts.listen(request)
  }

  untaken(listenerId: number): number {
    return this.#accepts.untaken(listenerId)
  }

  async resumeListening(listenerId: number, target: TransportTarget): Promise<Outcome<void>> {
    return this.#call('resumeListening', listenerId, target)
  }

  async unlisten(listenerId: number): Promise<void> {
    await this.#accepts.unlisten(listenerId).catch(() => undefined)
  }

  stats(): ShardStats {
    return {
      shard: this.shard,
      state: this.#state.kind === 'ended' ? 'stopped' : this.#state.kind,
      generation: this.generation,
      connections: this.#connections,
      ringMemoryBytes: this.#regions.memoryBytes,
      ringMemoryInUseBytes: this.#regions.bytesInUse,
      eventLoopDelay: readDelay(this.#counters),
      ...readCounters(this.#counters),
    }
  }

  /** Collects the thread's garbage. False: memory that it was told to forget is still held. */
  collectGarbage(): Promise<boolean> {
    // A thread that is gone holds nothing.
    return this.#call('collectGarbage').catch(() => true)
  }

  /** Ends the thread's task; `ended` follows. */
  stop(): void {
    if (this.#state.kind === 'stopping' || this.#state.kind === 'ended') return
    this.#state = { kind: 'stopping' }
    this.#thread.ref()
    void this.#announce('stop')
  }

  /** Ends the thread whatever it is doing; `ended` follows. */
  kill(reason: Error): void {
    this.#thread.kill(reason)
  }

  // What connections need (LaneHost).

  wordsOf(grant: LaneGrant): Int32Array {
    return this.#lanes.table.wordsOf(grant.id)
  }

  baseOf(grant: LaneGrant): number {
    return this.#lanes.table.baseOf(grant.id)
  }

  notify(laneId: number, busy = false): void {
    this.#watch.touch()
    this.#notifier.notify(laneId, busy)
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
    return this.#announce('turn')
  }

  releaseLane(grant: LaneGrant): void {
    this.#carried[grant.id] = undefined
    this.#connections--
    this.#ledger.release('connections')
    this.#giveLane(grant)
  }

  keepAlive(on: boolean): void {
    this.#keepAlive += on ? 1 : -1
    if (this.#state.kind === 'ended') return
    if (this.#keepAlive > 0) this.#bellPort.ref()
    else this.#bellPort.unref()
  }

  get isReferenced(): boolean {
    return this.#keepAlive > 0
  }

  #connect(grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity): LaneConnection {
    const connection = new LaneConnection(this, grant, options, identity)
    this.#carried[grant.id] = connection
    this.#connections++
    this.#ledger.open('connections')
    // News that came before the connection was there had nobody to go to.
    this.doorbell.revisit(connection)
    return connection
  }

  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS, ERR_OUT_OF_MEMORY; then nothing was taken. */
  #takeLane(endpoint: string): LaneGrant {
    let grant: LaneGrant
    try {
      grant = this.#lanes.take(this.#settings.initialRingBytes)
    } catch (error) {
      throw memoryFailure(error, endpoint) ?? error
    }
    this.#bookLane()
    return grant
  }

  /**
   * A lane is in the books from when it carries a connection, or a dial: the stock of lanes comes and goes with
   * listeners.
   */
  #bookLane(): void {
    this.#ledger.open('lanes')
    this.#ledger.open('regions', REGIONS_OF_NEW_LANE)
  }

  #giveLane(grant: LaneGrant): void {
    const before = this.#regions.regionsInUse
    this.#lanes.give(grant)
    this.#ledger.release('lanes')
    this.#ledger.release('regions', before - this.#regions.regionsInUse)
  }

  /** A call whose failure means that the shard is gone, which everybody concerned learns from `#end`. */
  #announce<Name extends keyof ShardControl>(name: Name, ...args: Parameters<ShardControl[Name]>): Promise<void> {
    const ignore = (): void => undefined
    return this.#call(name, ...args).then(ignore, ignore)
  }

  #call<Name extends keyof ShardControl>(
    name: Name,
    ...args: Parameters<ShardControl[Name]>
  ): Promise<Awaited<ReturnType<ShardControl[Name]>>> {
    this.#watch.touch()
    // Calls arrive in the order in which they were made: what a listener has accepted is taken before it is closed.
    this.#accepts.answer()
    return this.#control.call(name, ...args)
  }

  #boot(clock: Clock): Promise<void> {
    return new Promise((resolve, reject) => {
      let failed = false
      const cancel = clock.setTimer(() => {
        failed = true
        const ms = String(this.#settings.bootTimeoutMs)
        const error = new TransportError(
          'ERR_SHARD_BOOT',
          `a worker thread did not start within ${ms} ms (bootTimeoutMs). Check the workerEntry option and the machine's load.`,
        )
        reject(error)
        this.#thread.kill(error)
      }, this.#settings.bootTimeoutMs)
      const fail = (cause: unknown): void => {
        cancel()
        const advice = isDenied(cause)
          ? `${describeDenial(cause)}.`
          : 'Check the workerEntry option, and that this process may start threads; the cause says what failed.'
        reject(new TransportError('ERR_SHARD_BOOT', `a worker thread failed to start. ${advice}`, { cause }))
      }
      this.#thread.ended.then(() => {
        fail(new Error('the worker entry returned'))
      }, fail)
      this.#bellPort.once('message', () => {
        // Too late: it is being ended.
        if (failed) return
        cancel()
        this.#bellPort.on('message', () => {
          this.doorbell.onWake(this.#source)
        })
        // The port goes when the thread does, and with it what kept the process alive; the news of the end comes later.
        this.#bellPort.on('close', () => {
          this.#thread.ref()
        })
        if (this.#keepAlive === 0) this.#bellPort.unref()
        this.#thread.unref()
        if (this.#state.kind === 'booting') this.#state = { kind: 'up' }
        this.doorbell.add(this.#source)
        resolve()
      })
    })
  }

  #onStuck(): void {
    const ms = String(this.#settings.stuckTimeoutMs)
    this.kill(
      new Error(`the worker thread did not answer for ${ms} ms (stuckTimeoutMs) while work was waiting, and was ended`),
    )
  }

  /** The thread is gone: nobody else touches the memory any more. */
  #end(failure: { readonly cause: unknown } | undefined): TransportError | undefined {
    const wanted = this.#state.kind === 'stopping' && failure === undefined
    this.#state = { kind: 'ended' }
    const error = new TransportError(
      'ERR_SHARD_LOST',
      'the worker thread that carried this has died. Try again: another one takes over; the cause says why it died.',
      { cause: failure?.cause },
    )
    this.#watch.end()
    this.#growth.end()
    this.doorbell.remove(this.#source)
    // Control first: a dial that is pending must give its lane back through its own rejection.
    this.#control.lose(error)
    this.#accepts.lose(error)
    for (const connection of this.#carried) connection?.onShardLost(error)
    this.#bellPort.close()
    this.#wakeupSocketHost?.close()
    this.#eventPort.close()
    this.#ledger.release('shards')
    // Dials that were pending give their lanes back in this turn; whoever still holds a connection holds no rings with
    // it.
    this.#clock.nextTurn(() => {
      this.#regions.dispose()
      this.#lanes.dispose()
    })
    return wanted ? undefined : error
  }
}
