/** The children of one engine, which does not end before they have. */
import type { TransportError } from '../shared/errors.js'
import type { Ledger } from '../shared/ledger.js'
import type { Clock } from '../shared/waiter.js'
import type { ChildEnd } from './child-ends.js'
import { Child, type ChildSettings } from './child.js'

export class Children {
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #living = new Set<Child>()
  readonly #lives = new Set<Promise<void>>()
  #refusal: TransportError | undefined

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger
    this.#clock = clock
  }

  /** As `Child.start()`; `onStderrFailure`: the function for stderr has thrown. */
  start(
    settings: ChildSettings,
    stdin: ChildEnd,
    stdout: ChildEnd,
    endpoint: string,
    onStderrFailure: (cause: unknown) => void,
  ): Promise<Child> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal)
    const starting = Child.start(settings, stdin, stdout, {
      endpoint,
      onStderrFailure,
      ledger: this.#ledger,
      clock: this.#clock,
    })
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

  /** Their time is over, also of those whose connections are. */
  endNow(): void {
    for (const child of this.#living) child.endNow()
  }

  /** Resolves when none is left. Each ends in its own time. */
  async gone(): Promise<void> {
    await Promise.all(this.#lives)
  }
}
