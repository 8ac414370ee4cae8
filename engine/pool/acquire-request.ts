/** Somebody who waits for a connection of a pool: until it is granted, refused, given up, or too late. */
import type { TransportError } from '../protocol/errors.js'
import type { Clock } from '../protocol/clock.js'
import { Waiter } from '../protocol/waiter.js'
import type { Lease } from './lease.js'

export interface RequestTerms {
  readonly endpoint: string
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
  /** What it is told when it is too late. */
  readonly onTimeout: () => TransportError
  /** It was given up by its signal or its deadline, and counts no more. */
  readonly onGivenUp: () => void
}

export class AcquireRequest<View> {
  readonly promise: Promise<Lease<View>>
  /** Where it was made, if leaks are looked for. */
  readonly takenAt: Error | undefined
  readonly #waiter: Waiter<Lease<View>>
  readonly #cancelDeadline: () => void

  constructor(terms: RequestTerms, takenAt: Error | undefined) {
    const { endpoint, clock, signal, timeoutMs, onTimeout, onGivenUp } = terms
    this.takenAt = takenAt
    this.#waiter = new Waiter<Lease<View>>('acquiring a connection', endpoint, { signal }, clock, () => {
      this.#cancelDeadline()
      onGivenUp()
    })
    this.promise = this.#waiter.promise
    // It keeps the process alive, as long as somebody waits.
    this.#cancelDeadline = clock.setTimer(() => {
      this.#waiter.reject(onTimeout())
      onGivenUp()
    }, timeoutMs)
  }

  grant(lease: Lease<View>): void {
    this.#cancelDeadline()
    this.#waiter.resolve(lease)
  }

  refuse(error: TransportError): void {
    this.#cancelDeadline()
    this.#waiter.reject(error)
  }
}
