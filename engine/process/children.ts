/** The children of one engine, which does not end before they have. */
import process from 'node:process'
import type { TransportError } from '../protocol/errors.js'
import type { Ledger } from '../common/ledger.js'
import type { Clock } from '../protocol/clock.js'
import { Child, type ChildContext, type ChildSettings } from './child.js'
import { Guardian } from './guardian.js'
import { spawnError } from './spawn-failure.js'
import type { StdioEnds } from './stdio-end.js'

type Caller = Pick<ChildContext, 'endpoint' | 'onStderrFailure'>

export class Children {
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #living = new Set<Child>()
  readonly #lives = new Set<Promise<void>>()
  readonly #guardian: Guardian
  #refusal: TransportError | undefined

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger
    this.#clock = clock
    this.#guardian = new Guardian(ledger)
  }

  /** As `Child.start()`. */
  start(settings: ChildSettings, ends: StdioEnds, caller: Caller): Promise<Child> {
    const starting = this.#start(settings, ends, caller)
    const life = starting.then(
      async (child) => {
        this.#living.add(child)
        await child.gone
        this.#living.delete(child)
      },
      () => undefined,
    )
    this.#lives.add(life)
    void life.then(() => this.#lives.delete(life))
    return starting
  }

  startNoMore(refusal: TransportError): void {
    this.#refusal = refusal
  }

  /** Ends all, also those whose connections have ended. */
  endNow(): void {
    for (const child of this.#living) child.endNow()
  }

  /** Resolves when none is left. Each ends in its own time. To be called when no more may start. */
  async gone(): Promise<void> {
    await Promise.all(this.#lives)
    await this.#guardian.close()
  }

  async #start(settings: ChildSettings, ends: StdioEnds, caller: Caller): Promise<Child> {
    this.#assertMayStart()
    // Windows ends the children of a process that is gone by itself.
    const guardian = settings.guard && process.platform !== 'win32' ? this.#guardian : undefined
    if (guardian !== undefined) {
      try {
        await guardian.start()
      } catch (error) {
        throw spawnError(error as NodeJS.ErrnoException, settings, caller.endpoint)
      }
      this.#assertMayStart()
    }
    return Child.start(settings, ends, { ...caller, ledger: this.#ledger, clock: this.#clock, guardian })
  }

  #assertMayStart(): void {
    if (this.#refusal !== undefined) throw this.#refusal
  }
}
