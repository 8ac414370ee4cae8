/**
 * Keeps as many shards running as were asked for: starts them, replaces those that die within the restart budget, gives
 * up loudly on those that die too often, and stops them all. A shard that comes back has a new generation, and memory
 * from the engine's store, where that of its former life has gone.
 */
import process from 'node:process'
import type { LaneConnection } from '../connection/lane-connection.js'
import { createCounters } from '../protocol/counters.js'
import { nameOf } from '../common/describe.js'
import { events } from '../common/diagnostics.js'
import { HEADER_SLAB_BYTES } from '../protocol/lane.js'
import { TransportError } from '../protocol/errors.js'
import type { Ledger } from '../common/ledger.js'
import { trace } from '../common/trace.js'
import { SLAB_BYTES } from '../protocol/ring-layout.js'
import type { Clock } from '../protocol/clock.js'
import type { WakePolicy } from '../wake/wake-policy.js'
import { Doorbell } from '../wake/doorbell.js'
import { SlabStore } from '../memory/slab-store.js'
import { leastLoaded } from './placement.js'
import { RestartBudget, type RestartOptions } from './restart-budget.js'
import { Shard, type ArrivalEvents, type ShardSettings, type ShardStats } from './shard.js'

export interface SupervisorSettings extends ShardSettings {
  readonly shards: number
  readonly wake: WakePolicy
  readonly restart: RestartOptions
}

export interface SupervisorEvents {
  readonly eventsOf: (shard: Shard) => ArrivalEvents
  /** A shard that had been lost is up again. */
  onRestored(shard: Shard): void
  /** Its connections have been told. It may come back. */
  onLost(shard: Shard): void
  /** One shard more will not come back. */
  onGivenUp(): void
}

type SlotState =
  | { readonly kind: 'running'; readonly shard: Shard }
  /** The shard is dead; the next one starts after a pause. */
  | {
      readonly kind: 'waiting'
      readonly last: ShardStats
      readonly dueAt: number
      readonly cancel: () => void
    }
  | { readonly kind: 'given-up'; readonly last: ShardStats }
  | { readonly kind: 'stopped'; readonly last: ShardStats }

interface Slot {
  readonly index: number
  readonly counters: Float64Array
  readonly budget: RestartBudget
  generation: number
  state: SlotState
}

interface NextUp {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: TransportError) => void
}

export class Supervisor {
  readonly #settings: SupervisorSettings
  readonly #ledger: Ledger
  readonly #events: SupervisorEvents
  readonly #clock: Clock
  readonly #doorbell: Doorbell
  readonly #memory: { readonly slabs: SlabStore; readonly headers: SlabStore }
  readonly #slots: readonly Slot[]
  #stopping = false
  #keepAlive = 0
  /** Whoever waits for a shard to come up; all wait for the same promise, so that giving up leaves nothing behind. */
  #nextUp: NextUp | undefined

  constructor(settings: SupervisorSettings, ledger: Ledger, events: SupervisorEvents, clock: Clock) {
    this.#settings = settings
    this.#ledger = ledger
    this.#events = events
    this.#clock = clock
    const collectGarbage = async (): Promise<boolean> => {
      const collected = await Promise.all(this.shardsUp.map((shard) => shard.collectGarbage()))
      return collected.every(Boolean)
    }
    this.#memory = {
      slabs: new SlabStore(SLAB_BYTES, clock, collectGarbage),
      headers: new SlabStore(HEADER_SLAB_BYTES, clock, undefined),
    }
    this.#doorbell = new Doorbell(settings.wake, () =>
      this.#slots.some(({ state }) => state.kind === 'running' && state.shard.isReferenced),
    )
    this.#slots = Array.from({ length: settings.shards }, (_, index) => {
      const counters = createCounters()
      const budget = new RestartBudget(settings.restart, () => clock.now())
      const shard = this.#start(index, 1, counters)
      return { index, counters, budget, generation: 1, state: { kind: 'running', shard } }
    })
  }

  /** Resolves once every shard is up. Rejects with ERR_SHARD_BOOT, and has then stopped them all. */
  async boot(): Promise<void> {
    const first = this.shards
    const boots = await Promise.allSettled(first.map((shard) => shard.booted))
    const failed = boots.find((boot) => boot.status === 'rejected')
    if (failed !== undefined) {
      this.killAll(new Error('another worker thread failed to start'))
      await Promise.all(first.map((shard) => shard.ended))
      throw failed.reason
    }
    for (const slot of this.#slots) this.#supervise(slot)
  }

  /** Those whose threads live, whether or not they are up yet. */
  get shards(): readonly Shard[] {
    return this.#slots.flatMap(({ state }) => (state.kind === 'running' ? [state.shard] : []))
  }

  get shardsUp(): readonly Shard[] {
    return this.shards.filter((shard) => shard.isUp)
  }

  /** Memory for rings that no shard has, in bytes. */
  get spareMemoryBytes(): number {
    return this.#memory.slabs.spareBytes
  }

  get connections(): readonly LaneConnection[] {
    return this.shards.flatMap((shard) => shard.connections)
  }

  /** Whether nothing is up and nothing will come up. */
  get isLost(): boolean {
    return this.#slots.every(({ state }) => state.kind === 'given-up' || state.kind === 'stopped')
  }

  /** The shard that a new connection goes to; undefined: none is up just now. */
  leastLoaded(): Shard | undefined {
    return leastLoaded(this.shards)
  }

  /** Resolves when a shard comes up. Rejects with ERR_SHARD_LOST when none will. */
  waitForShard(): Promise<void> {
    if (this.isLost) return Promise.reject(noShardLeft())
    if (this.#nextUp === undefined) {
      let settle: Pick<NextUp, 'resolve' | 'reject'> | undefined
      const promise = new Promise<void>((resolve, reject) => {
        settle = { resolve, reject }
      })
      promise.catch(() => undefined)
      if (settle === undefined) throw new Error('a promise did not run its executor')
      this.#nextUp = { promise, ...settle }
    }
    return this.#nextUp.promise
  }

  /** From here on no shard is started, whichever dies. Rejects whoever waits for one. */
  startNoMore(error: TransportError): void {
    this.#stopping = true
    for (const slot of this.#slots) {
      if (slot.state.kind !== 'waiting') continue
      slot.state.cancel()
      slot.state = { kind: 'stopped', last: slot.state.last }
    }
    this.#endWaiting(error)
  }

  /** While on, the process waits for the shards' news, whichever life they are in. */
  keepAlive(on: boolean): void {
    const before = this.#keepAlive > 0
    this.#keepAlive += on ? 1 : -1
    for (const shard of this.shards) shard.keepAlive(on)
    if (before === this.#keepAlive > 0) return
    for (const slot of this.#slots) {
      if (slot.state.kind !== 'waiting') continue
      const { last, dueAt, cancel } = slot.state
      cancel()
      this.#restartAt(slot, last, dueAt)
    }
  }

  stats(): ShardStats[] {
    return this.#slots.map(({ state }) => {
      switch (state.kind) {
        case 'running':
          return state.shard.stats()
        case 'waiting':
          return { ...state.last, state: 'restarting' }
        case 'given-up':
        case 'stopped':
          return { ...state.last, state: state.kind }
      }
    })
  }

  /** Ends every shard, and starts none again. Resolves when all threads are gone. */
  async stop(): Promise<void> {
    this.startNoMore(noShardLeft())
    const shards = this.shards
    for (const shard of shards) shard.stop()
    await Promise.all(shards.map((shard) => shard.ended))
    this.#memory.slabs.close()
    this.#memory.headers.close()
  }

  /** Ends every thread whatever it is doing. */
  killAll(reason: Error): void {
    for (const shard of this.shards) shard.kill(reason)
  }

  #start(index: number, generation: number, counters: Float64Array): Shard {
    trace('shard %d: starting, generation %d', index, generation)
    const life = { shard: index, generation, counters }
    const shard = new Shard(
      life,
      this.#doorbell,
      this.#ledger,
      this.#settings,
      this.#memory,
      this.#events.eventsOf,
      this.#clock,
    )
    for (let i = 0; i < this.#keepAlive; i++) shard.keepAlive(true)
    // Whoever waits for the boot says so; nobody else does.
    shard.booted.catch(() => undefined)
    return shard
  }

  #supervise(slot: Slot): void {
    if (slot.state.kind !== 'running') return
    const { shard } = slot.state
    void shard.ended.then((error) => {
      this.#onEnded(slot, shard, error)
    })
  }

  #onEnded(slot: Slot, dead: Shard, error: TransportError | undefined): void {
    // Not the shard itself: its memory must go.
    const last = dead.stats()
    if (error === undefined) {
      slot.state = { kind: 'stopped', last }
      return
    }
    const delay = this.#stopping ? undefined : slot.budget.next()
    trace('shard %d: lost (%s)', slot.index, describe(error.cause))
    // The state before the news: whoever hears of it may look.
    if (delay === undefined) slot.state = { kind: this.#stopping ? 'stopped' : 'given-up', last }
    else this.#restartAt(slot, last, this.#clock.now() + delay)
    events.shardLost.publish({ shard: slot.index, generation: slot.generation, error })
    this.#events.onLost(dead)
    if (slot.state.kind === 'given-up') this.#giveUp(slot, error)
  }

  /** The process waits for it only if somebody waits for shards. */
  #restartAt(slot: Slot, last: ShardStats, dueAt: number): void {
    const cancel = this.#clock.setTimer(
      () => {
        this.#restart(slot)
      },
      Math.max(0, dueAt - this.#clock.now()),
      { keepsAlive: this.#keepAlive > 0 },
    )
    slot.state = { kind: 'waiting', last, dueAt, cancel }
  }

  #giveUp(slot: Slot, error: TransportError): void {
    const { max, windowMs } = this.#settings.restart
    events.shardGivenUp.publish({ shard: slot.index, generation: slot.generation, error })
    process.emitWarning(
      `shard ${String(slot.index)} died ${String(max + 1)} times within ${String(windowMs)} ms and is not started again (${describe(error.cause)})`,
      { type: 'TransportWarning', code: 'SYMPHONY_SHARD_GIVEN_UP' },
    )
    this.#events.onGivenUp()
    if (this.isLost) this.#endWaiting(noShardLeft(error))
  }

  #restart(slot: Slot): void {
    slot.generation++
    const shard = this.#start(slot.index, slot.generation, slot.counters)
    slot.state = { kind: 'running', shard }
    this.#supervise(slot)
    shard.booted.then(
      () => {
        if (this.#stopping || slot.state.kind !== 'running' || slot.state.shard !== shard || !shard.isUp) return
        trace('shard %d: restored, generation %d', slot.index, slot.generation)
        events.shardRestored.publish({ shard: slot.index, generation: slot.generation })
        this.#events.onRestored(shard)
        this.#settleNextUp((next) => {
          next.resolve()
        })
      },
      // The end of the thread follows, and is one death more.
      () => undefined,
    )
  }

  #endWaiting(error: TransportError): void {
    this.#settleNextUp((next) => {
      next.reject(error)
    })
  }

  #settleNextUp(settle: (next: NextUp) => void): void {
    const next = this.#nextUp
    this.#nextUp = undefined
    if (next !== undefined) settle(next)
  }
}

function noShardLeft(cause?: Error): TransportError {
  return new TransportError(
    'ERR_SHARD_LOST',
    'no worker thread is left to carry this: each died more often than the restart option allows. Find out why (see the cause), then create a new engine.',
    { cause },
  )
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : nameOf(cause)
}
