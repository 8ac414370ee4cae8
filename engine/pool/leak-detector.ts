/** Reports leases that are held too long, with the stack where they were taken. */
import { events } from '../common/diagnostics.js'
import type { Clock } from '../protocol/clock.js'

interface LeakGround {
  readonly engine: string
  readonly endpoint: string
  readonly clock: Clock
}

export class LeakDetector {
  readonly #ground: LeakGround
  readonly #afterMs: number

  constructor(ground: LeakGround, afterMs: number) {
    this.#ground = ground
    this.#afterMs = afterMs
  }

  /** The stack of the caller. */
  mark(): Error {
    return new Error('a lease was taken here')
  }

  /** Waits for the end of a lease; the returned function is called then. */
  start(takenAt: Error): () => void {
    return this.#ground.clock.setTimer(() => this.#report(takenAt), this.#afterMs, { keepsAlive: false })
  }

  #report(takenAt: Error): void {
    const stack = takenAt.stack ?? takenAt.message
    const { engine, endpoint } = this.#ground
    events.poolLeak.publish({ engine, endpoint, heldMs: this.#afterMs, stack })
    process.emitWarning(
      `a connection of the pool to ${endpoint} has been held for ${String(this.#afterMs)} ms (leakAfterMs). Release it, or allow more time.`,
      { type: 'TransportWarning', code: 'SYMPHONY_LEASE_LEAK', detail: stack },
    )
  }
}
