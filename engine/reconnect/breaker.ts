/**
 * A circuit breaker for one endpoint, shared by all links that dial it (after Michael Nygard, "Release It!").
 *
 * Closed: attempts go ahead, a few at a time, so that a server that comes back is not met by everybody at once. After
 * some failures in a row it opens: nobody dials for a while. Then it is half-open: one probe goes ahead, and its
 * outcome closes the circuit or opens it again. Who is not let in waits in line.
 */
import { TransportError } from '../protocol/errors.js'
import { events } from '../common/diagnostics.js'
import type { Clock } from '../protocol/clock.js'

export interface BreakerSettings {
  /** Failures in a row that open the circuit; at least 1. */
  readonly failures: number
  /** Milliseconds that it stays open. */
  readonly openMs: number
  /** Attempts under way at the same time while it is closed; at least 1. */
  readonly concurrency: number
}

export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly until: number; readonly error: Error }
  /** `probe`: the attempt that decides; undefined: the next one in line will be it. */
  | { readonly kind: 'half-open'; readonly probe: Permit | undefined; readonly error: Error }

/** The right to make one attempt. Exactly one of its methods is called, once. */
export interface Permit {
  succeeded(): void
  failed(error: Error): void
  /** The attempt said nothing about the endpoint. */
  abandoned(): void
}

/** A breaker as `engine.stats()` shows it. */
export interface BreakerStats {
  readonly endpoint: string
  readonly state: BreakerState['kind']
  /** Failures in a row. */
  readonly failures: number
  /** Attempts under way. */
  readonly attempting: number
  /** Links that wait to be let in. */
  readonly waiting: number
}

export class Breaker {
  readonly endpoint: string
  readonly #settings: BreakerSettings
  readonly #clock: Clock
  #state: BreakerState = { kind: 'closed', failures: 0 }
  #attempting = 0
  readonly #line = new Set<(permit: Permit) => void>()
  #cancelTimer: (() => void) | undefined

  constructor(endpoint: string, settings: BreakerSettings, clock: Clock) {
    this.endpoint = endpoint
    this.#settings = settings
    this.#clock = clock
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Why nobody is let in, with the failure that opened the circuit as its cause; undefined: it is not open. */
  get refusal(): TransportError | undefined {
    if (this.#state.kind === 'closed') return undefined
    return new TransportError(
      'ERR_CIRCUIT_OPEN',
      `${String(this.#settings.failures)} attempts in a row to connect to ${this.endpoint} failed, so no more are made for a while. See the cause; the circuit closes by itself once the peer answers.`,
      { cause: this.#state.error, endpoint: this.endpoint },
    )
  }

  /** Whether nothing is lost by forgetting it once nobody uses it. */
  get isForgettable(): boolean {
    return this.#state.kind !== 'open' || this.#clock.now() >= this.#state.until
  }

  get stats(): BreakerStats {
    const { failures } = this.#settings
    return {
      endpoint: this.endpoint,
      state: this.#state.kind,
      failures: this.#state.kind === 'closed' ? this.#state.failures : failures,
      attempting: this.#attempting,
      waiting: this.#line.size,
    }
  }

  /** A permit, if one is to be had at once. */
  tryAdmit(): Permit | undefined {
    return this.#line.size === 0 ? this.#admit() : undefined
  }

  /** Stands in line; `onAdmitted` is called with a permit. The returned function leaves the line. */
  wait(onAdmitted: (permit: Permit) => void): () => void {
    const place = (permit: Permit): void => {
      onAdmitted(permit)
    }
    this.#line.add(place)
    this.#watch()
    return () => {
      this.#line.delete(place)
      if (this.#line.size === 0) this.#endWatch()
    }
  }

  #admit(): Permit | undefined {
    if (this.#state.kind === 'open' && this.#clock.now() >= this.#state.until) {
      this.#state = { kind: 'half-open', probe: undefined, error: this.#state.error }
    }
    const state = this.#state
    const isFree =
      state.kind === 'closed'
        ? this.#attempting < this.#settings.concurrency
        : state.kind === 'half-open' && state.probe === undefined
    if (!isFree) return undefined
    const permit = this.#permit()
    if (state.kind === 'half-open') this.#state = { ...state, probe: permit }
    this.#attempting++
    return permit
  }

  #permit(): Permit {
    let spent = false
    const spend = (settle: () => void): void => {
      if (spent) return
      spent = true
      this.#attempting--
      settle()
      this.#letIn()
    }
    const permit: Permit = {
      succeeded: () => {
        // Also one that began before the circuit opened: the peer answers.
        spend(() => {
          this.#close()
        })
      },
      failed: (error) => {
        spend(() => {
          this.#onFailure(permit, error)
        })
      },
      abandoned: () => {
        spend(() => {
          const state = this.#state
          if (state.kind === 'half-open' && state.probe === permit) {
            this.#state = { ...state, probe: undefined }
          }
        })
      },
    }
    return permit
  }

  #onFailure(permit: Permit, error: Error): void {
    const state = this.#state
    if (state.kind === 'closed') {
      const failures = state.failures + 1
      if (failures >= this.#settings.failures) this.#open(error)
      else this.#state = { kind: 'closed', failures }
    } else if (state.kind === 'half-open' && state.probe === permit) {
      this.#open(error)
    }
    // One that began before the circuit opened adds nothing: the probe decides.
  }

  #open(error: Error): void {
    this.#state = { kind: 'open', until: this.#clock.now() + this.#settings.openMs, error }
    events.breakerOpened.publish({ endpoint: this.endpoint, error })
  }

  #close(): void {
    const wasClosed = this.#state.kind === 'closed'
    this.#state = { kind: 'closed', failures: 0 }
    if (!wasClosed) events.breakerClosed.publish({ endpoint: this.endpoint })
  }

  #letIn(): void {
    for (const place of this.#line) {
      const permit = this.#admit()
      if (permit === undefined) break
      this.#line.delete(place)
      place(permit)
    }
    this.#watch()
  }

  /**
   * While somebody waits for an open circuit, a timer says when the probe may go. Links keep the process alive, not
   * this.
   */
  #watch(): void {
    this.#endWatch()
    if (this.#state.kind !== 'open' || this.#line.size === 0) return
    const onTimer = (): void => {
      this.#cancelTimer = undefined
      this.#letIn()
    }
    const left = Math.max(0, this.#state.until - this.#clock.now())
    this.#cancelTimer = this.#clock.setTimer(onTimer, left, { keepsAlive: false })
  }

  #endWatch(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}
