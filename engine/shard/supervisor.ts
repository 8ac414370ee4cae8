/** Keeps as many shards running as were asked for, places new connections on them, and stops them all. */
import { InlineBudget } from '../connection/inline-budget.js'
import type { LaneConnection } from '../connection/lane-connection.js'
import type { Ledger } from '../common/ledger.js'
import { SlabStore } from '../memory/slab-store.js'
import type { Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import { HEADER_SLAB_BYTES } from '../protocol/lane.js'
import { SLAB_BYTES } from '../protocol/ring-layout.js'
import { ShardLoads } from '../protocol/shard-loads.js'
import { Waiter } from '../protocol/waiter.js'
import type { Doorbell } from '../wake/doorbell.js'
import type { ArrivalEvents } from './accepted-connections.js'
import { place } from './placement.js'
import { Relay } from './relay.js'
import type { RestartOptions } from './restart-budget.js'
import { Shard, type ShardStats } from './shard.js'
import type { ShardEnvironment, ShardSettings } from './shard-environment.js'
import { ShardSlot, type SlotHost } from './shard-slot.js'

export interface SupervisorSettings extends ShardSettings {
  readonly shards: number
  readonly restart: RestartOptions
}

export interface SupervisorEvents extends Pick<SlotHost<Shard>, 'onRestored' | 'onLost'> {
  readonly eventsOf: (shard: Shard) => ArrivalEvents
  /** One shard more does not come back. */
  onGivenUp(): void
}

export class Supervisor {
  readonly #clock: Clock
  readonly #memory: { readonly slabs: SlabStore; readonly headers: SlabStore }
  readonly #slots: readonly ShardSlot<Shard>[]
  /** One for all who wait for a shard to come up, so that giving up leaves nothing behind. */
  #nextUp: Waiter<void> | undefined

  constructor(
    settings: SupervisorSettings,
    doorbell: Doorbell,
    ledger: Ledger,
    events: SupervisorEvents,
    clock: Clock,
    unmap: ShardEnvironment['unmap'],
  ) {
    this.#clock = clock
    const collectGarbage = async (): Promise<boolean> => {
      const collected = await Promise.all(this.shardsUp.map((shard) => shard.collectGarbage()))
      return collected.every(Boolean)
    }
    this.#memory = {
      slabs: new SlabStore(SLAB_BYTES, clock, collectGarbage),
      headers: new SlabStore(HEADER_SLAB_BYTES, clock, undefined),
    }
    const loads = ShardLoads.create(settings.shards)
    const relay = new Relay(loads, () => this.shardsUp)
    const inline = new InlineBudget(ledger)
    const environment = { settings, doorbell, ledger, clock, memory: this.#memory, inline, loads, relay, unmap }
    const host: SlotHost<Shard> = {
      engine: settings.engine,
      start: (life) => new Shard(life, environment, events.eventsOf),
      onLost: (shard) => events.onLost(shard),
      onRestored: (shard) => {
        events.onRestored(shard)
        this.#nextUp?.resolve()
      },
      onGivenUp: (error) => {
        events.onGivenUp()
        if (this.isLost) this.#nextUp?.reject(noShardLeft(error))
      },
    }
    const { shards, restart } = settings
    this.#slots = Array.from({ length: shards }, (_, index) => new ShardSlot(index, host, restart, clock))
    for (const slot of this.#slots) ledger.addSource(slot.servedLines)
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
    for (const slot of this.#slots) slot.supervise()
  }

  /** Shards whose threads live, whether or not they are up yet. */
  get shards(): readonly Shard[] {
    return this.#slots.flatMap(({ shard }) => shard ?? [])
  }

  get shardsUp(): readonly Shard[] {
    return this.shards.filter((shard) => shard.isUp)
  }

  /** Whether the process waits for any of them. */
  get isReferenced(): boolean {
    return this.#slots.some(({ shard }) => shard?.isReferenced === true)
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
    return this.#slots.every((slot) => slot.isOver)
  }

  /** The shard that a new connection goes to. Undefined: none is up just now. */
  place(): Shard | undefined {
    return place(this.shardsUp, ({ load }) => load)
  }

  /** Resolves when a shard comes up. Rejects with ERR_SHARD_LOST when none will. */
  waitForShard(): Promise<void> {
    if (this.isLost) return Promise.reject(noShardLeft())
    if (this.#nextUp?.settled !== false) {
      this.#nextUp = new Waiter('waiting for a worker thread', '', {}, this.#clock, () => undefined)
      this.#nextUp.promise.catch(() => undefined)
    }
    return this.#nextUp.promise
  }

  /** From here on no shard is started, whichever dies. Rejects `waitForShard()`. */
  startNoMore(error: TransportError): void {
    for (const slot of this.#slots) slot.retire()
    this.#nextUp?.reject(error)
  }

  /** While on, the process waits for the shards, whichever life they are in. */
  keepAlive(on: boolean): void {
    for (const slot of this.#slots) slot.keepAlive(on)
  }

  stats(): ShardStats[] {
    return this.#slots.map((slot) => slot.stats())
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

  killAll(reason: Error): void {
    for (const shard of this.shards) shard.kill(reason)
  }
}

function noShardLeft(cause?: Error): TransportError {
  return new TransportError(
    'ERR_SHARD_LOST',
    'no worker thread is left to carry this: each died more often than the restart option allows. Find out why (see the cause), then create a new engine.',
    { cause },
  )
}
