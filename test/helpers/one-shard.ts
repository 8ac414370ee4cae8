/** Shards without an engine. */
import { Ledger } from '../../engine/common/ledger.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { findWorkerEntry } from '../../engine/shard/entry-discovery.js'
import type { Shard } from '../../engine/shard/shard.js'
import { Supervisor } from '../../engine/shard/supervisor.js'
import { Doorbell } from '../../engine/wake/doorbell.js'
import { wakeStrategyOf } from '../../engine/wake/wake-policy.js'

const BOOT_TIMEOUT_MS = 20_000
const HOUR_MS = 3_600_000

/** One shard, which is not replaced within a test when it dies. */
export class OneShard {
  readonly ledger = new Ledger()
  readonly supervisor: Supervisor

  constructor() {
    const settings = {
      entry: findWorkerEntry(undefined),
      engine: '0',
      shards: 1,
      restart: { max: 1, windowMs: HOUR_MS, initialDelayMs: HOUR_MS, maxDelayMs: HOUR_MS },
      initialRingBytes: 4096,
      bootTimeoutMs: BOOT_TIMEOUT_MS,
      stuckTimeoutMs: BOOT_TIMEOUT_MS,
      shardHeapMb: 64,
      tracesHops: false,
    } as const
    const ignore = (): void => undefined
    const eventsOf = (): { paused(): void; listenerFailed(): void; arrived(): void } => ({
      paused: ignore,
      listenerFailed: ignore,
      arrived: ignore,
    })
    const events = { eventsOf, onLost: ignore, onRestored: ignore, onGivenUp: ignore }
    const isReferenced = (): boolean => this.supervisor.isReferenced
    const doorbell = new Doorbell(wakeStrategyOf('park'), isReferenced, () => systemClock.now())
    this.supervisor = new Supervisor(settings, doorbell, this.ledger, events, systemClock, () => undefined)
  }

  get shard(): Shard {
    const [shard] = this.supervisor.shards
    if (shard === undefined) throw new Error('there is no shard')
    return shard
  }

  /** Resolves once the shard is up. */
  async boot(): Promise<this> {
    await this.supervisor.boot()
    return this
  }

  /** Resolves with what was opened and not released. */
  async stop(): Promise<number> {
    await this.supervisor.stop()
    return this.ledger.report().leaked
  }
}
