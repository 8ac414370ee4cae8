/** Main's side of one life of one shard, from boot to death. The supervisor replaces a shard that has died. */
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { HandshakeLane } from '../connection/handshake-lane.js'
import type { ConnectionIdentity, LaneConnection } from '../connection/lane-connection.js'
import {
  readCounters,
  readDelay,
  readHandlerCounters,
  releaseHandlerCounters,
  type CounterName,
  type EventLoopDelay,
} from '../protocol/counters.js'
import type { MainCallbacks } from '../protocol/control.js'
import { deserializeError, TransportError } from '../protocol/errors.js'
import { describeDenial, isDenied } from '../protocol/permission.js'
import type { LaneGrant } from '../protocol/lane.js'
import type { TransportTarget } from '../protocol/target.js'
import type { BellSource } from '../wake/doorbell.js'
import { AcceptedConnections, type ArrivalEvents } from './accepted-connections.js'
import { exposeCallbacks } from './control-client.js'
import { Utilization } from './placement.js'
import { releaseStdio } from './release-stdio.js'
import { ShardChannel } from './shard-channel.js'
import type { AddressRange, ShardEnvironment, ShardLife } from './shard-environment.js'
import { ShardLanes } from './shard-lanes.js'
import { nextShardState, type ShardEvent, type ShardState } from './shard-state.js'
import { ShardServing } from './shard-serving.js'
import { ShardThread } from './shard-thread.js'
import { stuckReason } from './stuck-reason.js'

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
  readonly handlers: ShardHandlerStats
  /**
   * The part of the time, 0 to 1, that the shard's event loop did not sleep between the last two samples. One is taken
   * by `stats()` and when a connection is placed, at most every 200 ms. 0 before the second one.
   */
  readonly eventLoopUtilization: number
}

/** What handler modules do in one shard. */
export interface ShardHandlerStats {
  /** Open connections that they serve, which `connections` counts too. */
  readonly connections: number
  /** Frames that they have taken, and their payload in bytes, since the engine started. */
  readonly frames: number
  readonly bytes: number
  /** For how long they have run, in milliseconds: what they do at once with frames, and after an `await`. */
  readonly busyMs: number
}

export class Shard {
  /** `engine.id` of the engine that it is of. */
  readonly engine: string
  readonly index: number
  readonly generation: number
  readonly accepted: AcceptedConnections
  readonly serving: ShardServing
  readonly utilization: Utilization
  /** Settles once the shard is up, rejects with ERR_SHARD_BOOT. */
  readonly booted: Promise<void>
  /** Settles once the thread is gone and its connections have ended, with the error; undefined: it was stopped. */
  readonly ended: Promise<TransportError | undefined>
  readonly #life: ShardLife
  readonly #environment: ShardEnvironment
  readonly #channel: ShardChannel
  readonly #lanes: ShardLanes
  readonly #source: BellSource
  readonly #thread: ShardThread
  /** Addresses that its thread has taken, and cannot give back when it ends. */
  readonly #mapped: AddressRange[] = []
  #state: ShardState = 'booting'

  constructor(life: ShardLife, environment: ShardEnvironment, eventsOf: (shard: Shard) => ArrivalEvents) {
    this.engine = environment.settings.engine
    this.index = life.index
    this.generation = life.generation
    this.#life = life
    this.#environment = environment
    const { settings, doorbell, ledger, clock, loads, relay } = environment
    this.#channel = new ShardChannel(
      {
        onWake: () => doorbell.onWake(this.#source),
        beforeCall: () => {
          // What a listener has accepted is taken before the listener is closed.
          this.accepted.answer()
        },
        examine: () => this.#thread.readRunningStack(environment.clock),
        onStuck: (activity) => this.kill(stuckReason(settings.stuckTimeoutMs, activity)),
      },
      environment,
    )
    const onIdleLane = (laneId: number): void => this.accepted.onNotify(laneId)
    this.#lanes = new ShardLanes(life, this.#channel, onIdleLane, environment)
    const { control, descriptors } = this.#channel
    this.accepted = new AcceptedConnections(this.#lanes, control, descriptors, eventsOf(this))
    this.serving = new ShardServing(control, descriptors, (on) => this.#channel.watchHandlers(on))
    const served = this.serving.onReport
    const mapped = (address: bigint, length: number): void => void this.#mapped.push({ address, length })
    const handOn: MainCallbacks['handOn'] = (listenerId, tickets) => relay.handOn(this, listenerId, tickets)
    const callbacks = { ...this.accepted.callbacks, served, mapped, handOn, releaseStdio }
    exposeCallbacks(callbacks, this.#channel.callbackPort)
    this.#source = { listener: this.#channel.bell, visit: this.#lanes.visit }
    ledger.open('shards')
    this.#thread = new ShardThread(settings.entry, settings.shardHeapMb, {
      shard: life.index,
      generation: life.generation,
      ...this.#channel.remote,
      acceptLog: this.accepted.logMemory,
      counters: life.counters,
      loads: loads.memory,
      tracesHops: settings.tracesHops,
    })
    this.utilization = new Utilization(() => this.#thread.eventLoopTimes(), clock)
    this.booted = this.#boot()
    this.ended = this.#thread.ended.then(
      () => this.#end('exited'),
      (cause: unknown) => this.#end('failed', cause),
    )
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Whether the process waits for it. */
  get isReferenced(): boolean {
    return this.#channel.isReferenced
  }

  /** Connections carried and dials under way: what placement goes by. */
  get load(): number {
    return this.#lanes.inUse - this.accepted.idleLanes + this.#servedConnections + this.serving.pendingDials
  }

  get connections(): readonly LaneConnection[] {
    return this.#lanes.connections
  }

  /** Dials on this shard. Rejects with the shard's death, or as the dial failed; `abort` ends it sooner. */
  dial(
    target: TransportTarget,
    options: ConnectionSettings,
    identity: ConnectionIdentity,
    control: DialControl,
  ): Promise<LaneConnection> {
    return this.#dial(target, options, identity, control, (lane) => this.#lanes.connect(lane, options, identity))
  }

  /** As `dial()`; messages come before the connection. */
  dialToShake(
    target: TransportTarget,
    options: ConnectionSettings,
    identity: ConnectionIdentity,
    control: DialControl,
  ): Promise<HandshakeLane> {
    return this.#dial(target, options, identity, control, (lane) => this.#lanes.shake(lane, options, identity))
  }

  async #dial<User>(
    target: TransportTarget,
    { framing }: ConnectionSettings,
    { endpoint }: ConnectionIdentity,
    control: DialControl,
    carry: (lane: LaneGrant) => User,
  ): Promise<User> {
    const lane = this.#lanes.take(endpoint)
    const { ledger } = this.#environment
    ledger.open('dials')
    let state: 'dialling' | 'connected' | 'failed' = 'dialling'
    try {
      control.onStarted(() => {
        // Afterwards the lane may be another dial's.
        if (state === 'dialling') void this.#channel.control.announce('abortDial', lane.id)
      })
      const outcome = await this.#channel.control.call('dial', { lane, target, framing, timeoutMs: control.timeoutMs })
      if (!outcome.ok) throw deserializeError(outcome.error, endpoint)
      state = 'connected'
      return carry(lane)
    } finally {
      ledger.release('dials')
      if (state === 'dialling') {
        state = 'failed'
        this.#lanes.give(lane)
      }
    }
  }

  serves(listenerId: number): boolean {
    return this.accepted.serves(listenerId) || this.serving.serves(listenerId)
  }

  stats(): ShardStats {
    const { counters } = this.#life
    const { frames, bytes, busyMs, ...served } = readHandlerCounters(counters)
    const { connections, ringMemoryBytes, ringMemoryInUseBytes } = this.#lanes.stats()
    return {
      shard: this.index,
      state: this.#state === 'lost' ? 'stopped' : this.#state,
      generation: this.generation,
      connections: connections + this.#servedConnections,
      ringMemoryBytes: ringMemoryBytes + served.ringMemoryBytes,
      ringMemoryInUseBytes: ringMemoryInUseBytes + served.ringMemoryInUseBytes,
      handlers: { connections: this.#servedConnections, frames, bytes, busyMs },
      eventLoopDelay: readDelay(counters),
      eventLoopUtilization: this.isUp ? this.utilization.value : 0,
      ...readCounters(counters),
    }
  }

  /** Collects the thread's garbage. False: it still holds memory that it was told to forget. */
  collectGarbage(): Promise<boolean> {
    // A thread that is gone holds nothing.
    return this.#channel.control.call('collectGarbage').catch(() => true)
  }

  keepAlive(on: boolean): void {
    this.#channel.keepAlive(on)
  }

  /** Ends the thread's task; `ended` follows. */
  stop(): void {
    if (!this.#enter('stop')) return
    this.#thread.ref()
    void this.#channel.control.announce('stop')
  }

  /** Ends the thread whatever it is doing; `ended` follows. */
  kill(reason: Error): void {
    this.#thread.kill(reason)
  }

  get #servedConnections(): number {
    const { opened, closed } = readHandlerCounters(this.#life.counters)
    return opened - closed
  }

  #boot(): Promise<void> {
    const { clock, settings, doorbell } = this.#environment
    return new Promise((resolve, reject) => {
      const cancel = clock.setTimer(() => {
        stopWaiting()
        const ms = String(settings.bootTimeoutMs)
        const error = new TransportError(
          'ERR_SHARD_BOOT',
          `a worker thread did not start within ${ms} ms (bootTimeoutMs). Check the workerEntry option and the machine's load.`,
        )
        reject(error)
        this.#thread.kill(error)
      }, settings.bootTimeoutMs)
      const fail = (cause: unknown): void => {
        cancel()
        const advice = isDenied(cause)
          ? `${describeDenial(cause)}.`
          : 'Check the workerEntry option, and that this process may start threads; the cause says what failed.'
        reject(new TransportError('ERR_SHARD_BOOT', `a worker thread failed to start. ${advice}`, { cause }))
      }
      this.#thread.ended.then(() => fail(new Error('the worker entry returned')), fail)
      const stopWaiting = this.#channel.whenStarted(
        () => {
          cancel()
          this.#thread.unref()
          this.#enter('started')
          this.#environment.loads.add(this.index)
          this.utilization.begin()
          doorbell.add(this.#source)
          resolve()
        },
        () => {
          // What kept the process alive has closed, and the thread's end comes later.
          this.#thread.ref()
        },
      )
    })
  }

  #end(event: 'exited' | 'failed', cause?: unknown): TransportError | undefined {
    this.#enter(event)
    const error = new TransportError(
      'ERR_SHARD_LOST',
      'the worker thread that carried this has died. Try again: another one takes over; the cause says why it died.',
      { cause },
    )
    releaseHandlerCounters(this.#life.counters)
    this.#environment.doorbell.remove(this.#source)
    this.#environment.loads.remove(this.index)
    // First: a pending dial gives its lane back when its call rejects.
    this.#channel.lose(error)
    this.accepted.lose(error)
    this.#lanes.lose(error)
    this.#environment.ledger.release('shards')
    this.#environment.unmap(this.#mapped.splice(0))
    return this.#state === 'stopped' ? undefined : error
  }

  /** False: this changes nothing in the present state. */
  #enter(event: ShardEvent): boolean {
    const before = this.#state
    this.#state = nextShardState(before, event)
    return this.#state !== before
  }
}
