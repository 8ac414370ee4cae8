/** Makes attempts until one succeeds or the limits are reached: gets a permit, dials, greets, pauses. */
import { events, type ReconnectingEvent } from '../common/diagnostics.js'
import { nameOf } from '../common/describe.js'
import { trace } from '../common/trace.js'
import { TransportError } from '../protocol/errors.js'
import { Attempts } from './attempts.js'
import type { Permit } from './breaker.js'
import { asError, establish, GreetingFailure, isOfThisProcess } from './establish.js'
import type { LossReport, ReconnectingSettings, TrackedConnection } from './reconnecting-settings.js'

export interface ConnectorEvents<C> {
  /** What it does from here on; `cancel` ends it. */
  onStep(to: 'queueing' | 'pausing' | 'connecting', cancel: () => void): void
  onEstablished(connection: C, attempt: number): void
  /** `onConnected` failed with something that is no error of ours. */
  onGreetingFault(cause: unknown): void
  /** There will be no more attempts. */
  onGivenUp(error: Error): void
}

export class Connector<C extends TrackedConnection> {
  /** Since the last stable connection. */
  attempts: Attempts
  lastFailure: Error | undefined
  /** What became of the frames of the connection before. */
  lastLoss: LossReport | undefined
  readonly #identity: ReconnectingEvent
  readonly #settings: ReconnectingSettings<C>
  readonly #events: ConnectorEvents<C>
  #hasConnected = false

  constructor(identity: ReconnectingEvent, settings: ReconnectingSettings<C>, connectorEvents: ConnectorEvents<C>) {
    this.#identity = identity
    this.#settings = settings
    this.#events = connectorEvents
    this.attempts = new Attempts(settings)
  }

  /** Makes an attempt as soon as the breaker permits it. */
  begin(): void {
    const { breaker } = this.#settings
    const permit = breaker?.tryAdmit()
    if (breaker === undefined || permit !== undefined) {
      this.#attempt(permit)
      return
    }
    const { refusal } = breaker
    if (refusal !== undefined && this.#failsFast) {
      this.#events.onGivenUp(refusal)
      return
    }
    const leave = breaker.wait((admitted) => {
      cancelTimer()
      this.#attempt(admitted)
    })
    const { timeLeft } = this.attempts
    const onTimer = (): void => {
      leave()
      this.#giveUpOr(breaker.refusal ?? this.lastFailure, () => this.begin())
    }
    const cancelTimer = timeLeft === Infinity ? () => undefined : this.#setTimer(onTimer, timeLeft)
    this.#events.onStep('queueing', () => {
      leave()
      cancelTimer()
    })
  }

  /** Makes an attempt after the next pause. */
  pause(): void {
    const onTimer = (): void => this.#giveUpOr(this.lastFailure, () => this.begin())
    this.#events.onStep('pausing', this.#setTimer(onTimer, this.attempts.nextPause()))
  }

  #attempt(permit: Permit | undefined): void {
    const attempt = ++this.attempts.count
    const controller = new AbortController()
    const { signal } = controller
    this.#events.onStep('connecting', () => controller.abort())
    events.reconnectingAttempt.publish({ ...this.#identity, attempt })
    if (signal.aborted) {
      // An observer has ended it.
      permit?.abandoned()
      return
    }
    const info = { attempt, isFirst: !this.#hasConnected, loss: this.lastLoss }
    const timeoutMs = (): number => Math.min(this.#settings.connectTimeoutMs, this.attempts.timeLeft)
    establish(this.#settings, info, signal, timeoutMs).then(
      (connection) => {
        if (signal.aborted) {
          permit?.abandoned()
          connection.destroy()
          return
        }
        this.#hasConnected = true
        this.lastLoss = undefined
        this.#events.onEstablished(connection, attempt)
        permit?.succeeded()
      },
      (error: unknown) => {
        const cause = asError(error instanceof GreetingFailure ? error.cause : error)
        // An error of ours says what happened to the attempt; any other is a fault of the greeting's.
        if (error instanceof GreetingFailure && !(error.cause instanceof TransportError))
          this.#events.onGreetingFault(error.cause)
        const isHopeless = cause === error && cause instanceof TransportError && !cause.retryable
        if (signal.aborted || isOfThisProcess(cause)) permit?.abandoned()
        else permit?.failed(cause)
        if (!signal.aborted) this.#onFailed(cause, isHopeless || this.#failsFast, signal)
      },
    )
  }

  #onFailed(error: Error, isLast: boolean, signal: AbortSignal): void {
    this.lastFailure = error
    events.reconnectingFailed.publish({ ...this.#identity, error })
    trace('reconnecting connection %s: attempt failed, %s', this.#identity.id, nameOf(error))
    if (signal.aborted) return
    if (isLast) {
      this.#events.onGivenUp(error)
      return
    }
    this.#giveUpOr(error, () => this.pause())
  }

  /** Whether a failure is the end, since it was never connected. */
  get #failsFast(): boolean {
    return this.#settings.firstConnect === 'fail-fast' && !this.#hasConnected
  }

  #giveUpOr(last: Error | undefined, goOn: () => void): void {
    const exhausted = this.attempts.exhausted(last)
    if (exhausted === undefined) goOn()
    else this.#events.onGivenUp(exhausted)
  }

  /** The connection keeps the process alive, for as long as it is to; its timers need not. */
  #setTimer(fn: () => void, ms: number): () => void {
    return this.#settings.clock.setTimer(fn, ms, { keepsAlive: false })
  }
}
