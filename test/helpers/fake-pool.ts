/** A pool over connections that are made of nothing, under a clock that stands still. */
import { Pool } from '../../engine/pool/pool.js'
import type { Gate, Poolable, PoolSettings } from '../../engine/pool/pool-settings.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { ReuseBlocker } from '../../engine/common/reuse-blocker.js'
import { HandlerFailures } from '../../engine/common/handler-failures.js'
import type { WaitOptions } from '../../engine/protocol/waiter.js'
import { FailureBook } from './failure-book.js'
import { FakeClock } from './fake-clock.js'

/** What it went through, in the pool's hands. */
type Phase = 'awake' | 'resting' | 'closing' | 'closed' | 'destroyed'

export class FakeConnection implements Poolable {
  readonly id: number
  phase: Phase = 'awake'
  /** What its shard has published, told or not. */
  reuseBlocker: ReuseBlocker | undefined
  reason: Error | undefined
  #onUnfit: ((why: ReuseBlocker) => void) | undefined
  readonly #closings: (() => void)[] = []

  constructor(id: number) {
    this.id = id
  }

  get isAlive(): boolean {
    return this.phase === 'awake' || this.phase === 'resting'
  }

  park(onUnfit: (why: ReuseBlocker) => void): ReuseBlocker | undefined {
    if (this.reuseBlocker !== undefined) return this.reuseBlocker
    this.phase = 'resting'
    this.#onUnfit = onUnfit
    return undefined
  }

  checkout(): ReuseBlocker | undefined {
    this.#onUnfit = undefined
    if (this.reuseBlocker === undefined) this.phase = 'awake'
    return this.reuseBlocker
  }

  close(): Promise<void> {
    if (this.isAlive) this.phase = 'closing'
    return new Promise((resolve) => {
      this.#closings.push(resolve)
      if (this.phase !== 'closing') this.#finish(this.phase)
    })
  }

  destroy(reason?: Error): void {
    if (this.phase === 'closed') return
    this.reason = reason
    this.#finish('destroyed')
  }

  /** The graceful close has come to its end. */
  finishClosing(): void {
    if (this.phase === 'closing') this.#finish('closed')
  }

  /** It may not be reused any more; `told`: the pool learns of it at once. */
  spoil(why: ReuseBlocker, told: boolean): void {
    this.reuseBlocker ??= why
    if (!told) return
    const tell = this.#onUnfit
    this.#onUnfit = undefined
    tell?.(this.reuseBlocker)
  }

  #finish(phase: Phase): void {
    this.phase = phase
    this.reuseBlocker ??= 'ended'
    for (const resolve of this.#closings) resolve()
    this.#closings.length = 0
  }
}

/** What the holder of a lease sees here. */
export interface FakeView {
  readonly connection: FakeConnection
  readonly gate: Gate
}

interface Dial {
  readonly resolve: (connection: FakeConnection) => void
  readonly reject: (error: unknown) => void
  readonly signal: AbortSignal | undefined
}

export class FakePool {
  readonly clock = new FakeClock()
  readonly pool: Pool<FakeConnection, FakeView>
  readonly failures = new FailureBook()
  /** Dials that are under way, in their order. */
  readonly dials: Dial[] = []
  readonly made: FakeConnection[] = []
  dialled = 0

  constructor(settings: Partial<PoolSettings<FakeView>> = {}, random: () => number = () => 0) {
    this.pool = new Pool<FakeConnection, FakeView>(
      {
        min: 0,
        max: 4,
        idleTimeoutMs: 1_000,
        maxLifetimeMs: undefined,
        lifetimeJitter: 0.5,
        acquireTimeoutMs: 10_000,
        createAttempts: 3,
        backoff: { initialMs: 100, maxMs: 800, factor: 2, jitter: 'none' },
        leakAfterMs: undefined,
        validate: undefined,
        ...settings,
      },
      {
        engine: '0',
        endpoint: 'fake:',
        clock: this.clock,
        failures: new HandlerFailures(this.clock, this.failures.onError),
        random,
        dial: ({ signal }: WaitOptions) => {
          this.dialled++
          return new Promise<FakeConnection>((resolve, reject) => {
            this.dials.push({ resolve, reject, signal })
          })
        },
        present: (connection, gate) => ({ connection, gate }),
      },
    )
  }

  /** The oldest dial succeeds. */
  async connect(reuseBlocker?: ReuseBlocker): Promise<FakeConnection> {
    const connection = new FakeConnection(this.made.length + 1)
    connection.reuseBlocker = reuseBlocker
    this.made.push(connection)
    this.#next().resolve(connection)
    await settled()
    return connection
  }

  /** The oldest dial fails. */
  async refuse(error: unknown = new TransportError('ERR_REFUSED', 'no process listens')): Promise<void> {
    this.#next().reject(error)
    await settled()
  }

  #next(): Dial {
    const dial = this.dials.shift()
    if (dial === undefined) throw new Error('there is no dial under way')
    return dial
  }
}

/**
 * Resolves once every promise that is resolved by now has called its callbacks, and theirs have called them in turn.
 */
export async function settled(): Promise<void> {
  for (let i = 0; i < 12; i++) await Promise.resolve()
}
