/**
 * A circuit breaker for one endpoint, shared by all connections that dial it (after Michael Nygard, "Release It!").
 *
 * Closed: attempts go ahead, a few at a time, so that a server that comes back is not met by all at once. After some
 * failures in a row it opens, and no attempt is made for a while. Then it is half-open: one probe goes ahead, and its
 * outcome closes the circuit or opens it again. The other attempts wait in a queue.
 */
import { TransportError } from '../protocol/errors.js'
import { events, type BreakerEvent } from '../common/diagnostics.js'
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
  /** `probe`: the attempt that decides; undefined: the next one in the queue will be it. */
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
  /** Reconnecting connections that wait for a permit. */
  readonly waiting: number
}

export class Breaker {
  readonly endpoint: string
  readonly #identity: BreakerEvent
  readonly #settings: BreakerSettings
  readonly #clock: Clock
  #state: BreakerState = { kind: 'closed', failures: 0 }
  #attempting = 0
  readonly #queue = new Set<(permit: Permit) => void>()
  #cancelTimer: (() => void) | undefined

  constructor(identity: BreakerEvent, settings: BreakerSettings, clock: Clock) {
    this.endpoint = identity.endpoint
    this.#identity = identity
    this.#settings = settings
    this.#clock = clock
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Why no permit is given, with the failure that opened the circuit as its cause; undefined: it is not open. */
  get refusal(): TransportError | undefined {
    if (this.#state.kind === 'closed') return undefined
    return new TransportError(
      'ERR_CIRCUIT_OPEN',
      `${String(this.#settings.failures)} attempts in a row to connect to ${this.endpoint} failed, so no more are made for a while. See the cause; the circuit closes by itself once the peer answers.`,
      { cause: this.#state.error, endpoint: this.endpoint },
    )
  }

  /** Whether it holds nothing worth remembering once no connection uses it. */
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
      waiting: this.#queue.size,
    }
  }

  /** A permit, if one can be given at once. */
  tryAdmit(): Permit | undefined {
    return this.#queue.size === 0 ? this.#admit() : undefined
  }

  /** Queues for a permit, which `onAdmitted` is called with. The returned function leaves the queue. */
  wait(onAdmitted: (permit: Permit) => void): () => void {
    const admit = (permit: Permit): void => onAdmitted(permit)
    this.#queue.add(admit)
    this.#scheduleProbe()
    return () => {
      this.#queue.delete(admit)
      if (this.#queue.size === 0) this.#cancelProbe()
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
      // Also one that began before the circuit opened: the peer answers.
      succeeded: () => spend(() => this.#close()),
      failed: (error) => spend(() => this.#onFailure(permit, error)),
      abandoned: () => spend(() => this.#onAbandoned(permit)),
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

  #onAbandoned(permit: Permit): void {
    const state = this.#state
    if (state.kind === 'half-open' && state.probe === permit) this.#state = { ...state, probe: undefined }
  }

  #open(error: Error): void {
    this.#state = { kind: 'open', until: this.#clock.now() + this.#settings.openMs, error }
    events.breakerOpened.publish({ ...this.#identity, error })
  }

  #close(): void {
    const wasClosed = this.#state.kind === 'closed'
    this.#state = { kind: 'closed', failures: 0 }
    if (!wasClosed) events.breakerClosed.publish(this.#identity)
  }

  #letIn(): void {
    for (const admit of this.#queue) {
      const permit = this.#admit()
      if (permit === undefined) break
      this.#queue.delete(admit)
      admit(permit)
    }
    this.#scheduleProbe()
  }

  /** A timer says when the probe may go, while one waits. It keeps no process alive: that is for the connection. */
  #scheduleProbe(): void {
    this.#cancelProbe()
    if (this.#state.kind !== 'open' || this.#queue.size === 0) return
    const onTimer = (): void => {
      this.#cancelTimer = undefined
      this.#letIn()
    }
    const left = Math.max(0, this.#state.until - this.#clock.now())
    this.#cancelTimer = this.#clock.setTimer(onTimer, left, { keepsAlive: false })
  }

  #cancelProbe(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}
