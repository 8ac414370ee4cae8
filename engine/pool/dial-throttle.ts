/** Makes the connections of a pool: any number at once while that works, one between pauses while it fails. */
import { events } from '../common/diagnostics.js'
import { Backoff, type BackoffSettings } from '../common/backoff.js'
import type { Poolable, PoolGround } from './pool-settings.js'

type State =
  | { readonly kind: 'free' }
  | { readonly kind: 'pausing'; readonly backoff: Backoff; readonly cancel: () => void }
  /** The pause is over: one attempt at a time, until a connection was fit to be lent. */
  | { readonly kind: 'probing'; readonly backoff: Backoff }

export interface DialEvents<Connection> {
  onConnection(connection: Connection): void
  onFailed(error: unknown): void
  /** An attempt may be made again. */
  onPauseOver(): void
}

const FREE: State = { kind: 'free' }

export class DialThrottle<Connection extends Poolable> {
  /** Attempts under way. */
  connecting = 0
  /** Why the last attempt failed, if none has succeeded since. */
  lastFailure: unknown
  /** Failures in a row; those of attempts that were under way when a pause began count as one with what began it. */
  #failures = 0
  readonly #settings: BackoffSettings
  readonly #ground: PoolGround<Connection, unknown>
  readonly #events: DialEvents<Connection>
  /** Gives dials up when the pool closes. */
  readonly #controller = new AbortController()
  #state: State = FREE

  constructor(settings: BackoffSettings, ground: PoolGround<Connection, unknown>, dialEvents: DialEvents<Connection>) {
    this.#settings = settings
    this.#ground = ground
    this.#events = dialEvents
  }

  /** How many more attempts may be made now. */
  get room(): number {
    switch (this.#state.kind) {
      case 'free':
        return Infinity
      case 'pausing':
        return 0
      case 'probing':
        return 1 - this.connecting
    }
  }

  dial(): void {
    this.connecting++
    const run = async (): Promise<Connection> => this.#ground.dial({ signal: this.#controller.signal })
    run().then(
      (connection) => {
        this.connecting--
        this.#events.onConnection(connection)
      },
      (error: unknown) => {
        this.connecting--
        this.#events.onFailed(error)
      },
    )
  }

  /** An attempt failed, or its connection was never fit to be lent. Returns how many have in a row. */
  failed(error: unknown): number {
    this.lastFailure = error
    const state = this.#state
    if (state.kind === 'pausing') return this.#failures
    const failures = ++this.#failures
    const { clock, random, engine, endpoint } = this.#ground
    const backoff = state.kind === 'free' ? Backoff.first(this.#settings, random) : state.backoff.next()
    const { delayMs } = backoff
    const onTimer = (): void => {
      this.#state = { kind: 'probing', backoff }
      this.#events.onPauseOver()
    }
    // A request that waits has a timer of its own, which keeps the process alive.
    this.#state = { kind: 'pausing', backoff, cancel: clock.setTimer(onTimer, delayMs, { keepsAlive: false }) }
    events.poolConnectionFailed.publish({ engine, endpoint, failures, error, pauseMs: delayMs })
    return failures
  }

  /** A new connection was fit to be lent. */
  succeeded(): void {
    this.lastFailure = undefined
    if (this.#state === FREE) return
    this.#endPause()
    this.#state = FREE
    this.#failures = 0
  }

  /** Gives up what is under way, and ends the pause. */
  stop(error: Error): void {
    this.#endPause()
    this.#controller.abort(error)
  }

  #endPause(): void {
    if (this.#state.kind === 'pausing') this.#state.cancel()
  }
}
