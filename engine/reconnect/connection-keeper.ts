/** Keeps a reconnecting connection connected: what follows a loss, what its user's wishes mean, and how it ends. */
import { events, type ReconnectingEvent } from '../common/diagnostics.js'
import { TransportError, type TransportErrorCode } from '../protocol/errors.js'
import type { ClosedInfo } from '../common/connection.js'
import { handlerError, type HandlerPlace } from '../common/handler-failures.js'
import { trace } from '../common/trace.js'
import { Attempts } from './attempts.js'
import { Connector } from './connector.js'
import { Heartbeat } from './heartbeat.js'
import type { Inbox } from './inbox.js'
import { deadlineOf, isWound, transition, type Lifecycle, type LifecycleEvent } from './lifecycle.js'
import { lossReport } from './loss-report.js'
import type { Outbox } from './outbox.js'
import type { LossReport, ReconnectingSettings, TrackedConnection } from './reconnecting-settings.js'
import { UserFrames } from './user-frames.js'

/** The connection that frames go by now, or went by until a moment ago. */
interface Current<C> {
  readonly connection: C
  /** Counted from 1. */
  readonly number: number
  readonly since: number
  readonly frames: UserFrames
  readonly heartbeat: Heartbeat | undefined
}

export interface KeeperEvents {
  /** The state may be another one. */
  onChange(): void
  /** Connected and greeted. */
  onConnected(): void
  /** Every frame has left, and the end with them. */
  onLeft(): void
  /** Nothing follows. `dropped`: how many frames no connection was given. */
  onFinished(ending: ClosedInfo, dropped: number): void
}

export class ConnectionKeeper<C extends TrackedConnection> {
  /** Epoch milliseconds; 0: never yet. */
  establishedAt = 0
  losses = 0
  readonly connector: Connector<C>
  readonly #identity: ReconnectingEvent
  readonly #settings: ReconnectingSettings<C>
  readonly #inbox: Inbox<C>
  readonly #outbox: Outbox<C>
  readonly #events: KeeperEvents
  #life: Lifecycle<Current<C>> = { kind: 'fresh', intent: { kind: 'stay' } }
  #deadline: number | undefined
  #cancelDeadline = (): void => undefined
  #connections = 0
  #lastActivityAt = 0

  constructor(
    identity: ReconnectingEvent,
    settings: ReconnectingSettings<C>,
    inbox: Inbox<C>,
    outbox: Outbox<C>,
    keeperEvents: KeeperEvents,
  ) {
    this.#identity = identity
    this.#settings = settings
    this.#inbox = inbox
    this.#outbox = outbox
    this.#events = keeperEvents
    this.connector = new Connector(identity, settings, {
      onStep: (to, cancel) => this.#enter({ kind: 'step', to, cancel }),
      onEstablished: (connection, attempt) => this.#onEstablished(connection, attempt),
      onGreetingFault: (cause) =>
        this.reportFailure('onConnected', 'onConnected failed, and the attempt with it', cause),
      onGivenUp: (error) => this.#fail(error),
    })
  }

  get life(): Lifecycle<unknown> {
    return this.#life
  }

  /** The connection that there is, if there is one. */
  get connection(): C | undefined {
    return 'current' in this.#life ? this.#life.current.connection : undefined
  }

  get lastActivityAt(): number {
    return this.connection?.info.lastActivityAt ?? this.#lastActivityAt
  }

  start(): void {
    if (this.#life.kind === 'fresh') this.connector.begin()
  }

  /** `end()` or `close()` was called. */
  wind(kind: 'end' | 'close'): void {
    const event = { kind, by: this.#closeBy }
    if (transition(this.#life, event) === this.#life) return
    this.#outbox.refuse(this.refusal(undefined))
    this.#enter(event)
    const connection = this.connection
    if (connection !== undefined) {
      if (this.#outbox.isDrained) this.onDrained(connection)
    } else if (this.#outbox.isEmpty) {
      this.#finish({ code: 'OK' })
    }
  }

  destroy(error: TransportError): void {
    const state = this.#life
    if (state.kind === 'closed' || state.kind === 'destroying') return
    this.#outbox.refuse(this.refusal(error))
    this.#inbox.abandon(error)
    if (state.kind === 'connected') {
      this.#enter({ kind: 'destroyed', error })
      state.current.connection.destroy(error)
    } else {
      this.#fail(error)
    }
  }

  /** Everything taken was given to the connection: if it is to end, it can. */
  onDrained(connection: C): void {
    const state = this.#life
    if (state.kind !== 'connected' || state.intent.kind === 'stay') return
    this.#enter({ kind: 'drained' })
    // It has a deadline of its own, and, if it is a process, others.
    if (state.intent.kind === 'close') void connection.close()
    void connection.end().then(async () => {
      // Also resolved by a loss; then there may be something left to send. A report that is there wins the race.
      const delivery = await Promise.race([connection.delivery, Promise.resolve(undefined)])
      if (delivery !== undefined || connection.pendingBytes > 0) return
      this.#enter({ kind: 'left' })
      this.#events.onLeft()
    })
  }

  /** A function of the host's has failed over it: it is destroyed, and that is reported. */
  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    if (this.isOfTheEnd(cause)) return
    const done = this.#life.kind === 'closed' ? ' after its connection had closed' : ', so its connection was destroyed'
    const error = handlerError(`${what} failed${done}. See the cause.`, cause, this.#settings.endpoint)
    this.destroy(error)
    this.#report(where, error)
  }

  /** Reports a failure that disturbs nothing here. */
  reportFailure(where: HandlerPlace, what: string, cause: unknown): void {
    const message = `${what}; the connection goes on. See the cause.`
    this.#report(where, handlerError(message, cause, this.#settings.endpoint))
  }

  /** Whether a function of the host's failed only because the connection ends. */
  isOfTheEnd(cause: unknown): boolean {
    return isWound(this.#life) && cause instanceof TransportError && cause.code === 'ERR_CLOSED'
  }

  refusal(cause: Error | undefined): TransportError {
    const message = 'the connection is closed or ending: no more frames can be sent. `closed` says why it ended.'
    return new TransportError('ERR_CLOSED', message, { cause, endpoint: this.#settings.endpoint })
  }

  #onEstablished(connection: C, attempt: number): void {
    const { heartbeat, clock } = this.#settings
    const frames = new UserFrames(connection.info.framesSent)
    const isReading = (): boolean => this.#inbox.isReading(connection)
    const onPingFailed = (cause: unknown): void =>
      this.handlerFailed('heartbeat', 'heartbeat.ping, or sending what it made,', cause)
    const current: Current<C> = {
      connection,
      number: ++this.#connections,
      since: clock.now(),
      frames,
      heartbeat: heartbeat && new Heartbeat(heartbeat, clock, { connection, frames, isReading, onPingFailed }),
    }
    if (this.establishedAt === 0) this.establishedAt = Date.now()
    void connection.closed.then((ending) => this.#onLost(current, ending))
    this.#enter({ kind: 'connected', current })
    events.reconnectingConnected.publish({ ...this.#identity, attempt })
    trace('reconnecting connection %s: connected, attempt %d', this.#identity.id, attempt)
    if (this.#life.kind !== 'connected' || this.#life.current !== current) return
    const isSelective = heartbeat?.isPong !== undefined
    this.#inbox.add({ connection, filter: (frame) => current.heartbeat?.onFrame(frame) === true, isSelective })
    this.#events.onConnected()
    this.#outbox.connect(connection)
  }

  async #onLost({ connection, number, since, frames, heartbeat }: Current<C>, ending: ClosedInfo): Promise<void> {
    heartbeat?.stop()
    const delivery = frames.of(await connection.delivery)
    const { clock, unsent, stableMs, maxElapsedMs } = this.#settings
    const { code, cause } = ending
    this.losses++
    this.#lastActivityAt = connection.info.lastActivityAt
    // One that has outlasted all the time there is for trying is stable too.
    if (clock.now() - since >= Math.min(stableMs, maxElapsedMs)) this.connector.attempts = new Attempts(this.#settings)
    if (cause !== undefined) this.connector.lastFailure = cause
    const again = unsent === 'resend' ? delivery.unsent : []
    this.#outbox.disconnect(again)
    const end = this.#endAfter(ending)
    // Before any observer is called: one that calls close() or destroy() finds that there is no connection.
    this.#enter({ kind: 'lost', by: this.#closeBy })
    const left = end === undefined ? [] : this.#outbox.close(this.refusal(end.cause))
    const dropped = unsent === 'resend' ? left : [...delivery.unsent, ...left]
    const resent = end === undefined ? again.length : 0
    const report = lossReport(number, ending, { isFinal: end !== undefined, resent, dropped }, delivery)
    this.connector.lastLoss = report
    this.#publishLoss(report)
    trace('reconnecting connection %s: connection %d lost, %s', this.#identity.id, number, code)
    // Its user has ended it and nothing was lost: that is no loss.
    const isOrderly = end?.code === 'OK' && report.unconfirmed.length + report.dropped.length + report.lost === 0
    this.#inbox.lose(connection, isOrderly ? undefined : report)
    if (end !== undefined) this.#finish(end)
    else if (this.#life.kind === 'lost') this.connector.pause()
  }

  #publishLoss({ code, cause, isFinal, handedOver, unconfirmed, resent, dropped, lost }: LossReport): void {
    const fates = { handedOver, unconfirmed: unconfirmed.length, resent, dropped: dropped.length, lost }
    events.reconnectingLost.publish({ ...this.#identity, code, cause, isFinal, ...fates })
  }

  /** How it ends with this loss; undefined: it goes on. */
  #endAfter(ending: ClosedInfo): ClosedInfo | undefined {
    if (this.#life.kind === 'destroying') return endingOf(this.#life.error)
    if (isWound(this.#life) && this.#outbox.isEmpty) return ending
    const { code, cause } = ending
    if (cause instanceof TransportError && !cause.retryable) return { code, cause }
    const exhausted = this.connector.attempts.exhausted(this.connector.lastFailure)
    return exhausted && endingOf(exhausted)
  }

  get #closeBy(): number {
    return this.#settings.clock.now() + this.#settings.closeTimeoutMs
  }

  #enter(event: LifecycleEvent<Current<C>>): void {
    this.#life = transition(this.#life, event)
    this.#setDeadline(deadlineOf(this.#life))
    // A loss shows once it was reported.
    if (event.kind !== 'lost') this.#events.onChange()
  }

  #setDeadline(by: number | undefined): void {
    if (by === this.#deadline) return
    this.#cancelDeadline()
    this.#deadline = by
    if (by === undefined) return
    const onTimer = (): void => this.#onTooLate()
    const { clock } = this.#settings
    this.#cancelDeadline = clock.setTimer(onTimer, Math.max(0, by - clock.now()), { keepsAlive: false })
  }

  #onTooLate(): void {
    const { closeTimeoutMs, endpoint } = this.#settings
    const message = `${String(closeTimeoutMs)} ms (closeTimeoutMs) were not enough for what was sent to leave. The last loss report has what was dropped.`
    const error = new TransportError('ERR_TIMEOUT', message, { endpoint, cause: this.connector.lastFailure })
    const state = this.#life
    if (state.kind === 'connected') {
      this.#enter({ kind: 'destroyed', error })
      state.current.connection.cut(error)
    } else {
      this.#fail(error)
    }
  }

  #fail(error: Error): void {
    this.#finish(endingOf(error))
  }

  #finish(ending: ClosedInfo): void {
    const state = this.#life
    if (state.kind === 'closed') return
    this.#life = transition(state, { kind: 'finished' })
    this.#setDeadline(undefined)
    if ('cancel' in state) state.cancel()
    const dropped = this.#outbox.close(this.refusal(ending.cause))
    const last = dropped.length === 0 ? undefined : lossReport(0, ending, { isFinal: true, resent: 0, dropped })
    this.#inbox.end(ending.cause, last)
    this.#events.onFinished(ending, dropped.length)
  }

  #report(where: HandlerPlace, error: TransportError): void {
    const { endpoint, failures } = this.#settings
    failures.report(error, { where, endpoint, connection: this.#identity.id })
  }
}

function endingOf(error: Error): ClosedInfo & { readonly code: TransportErrorCode } {
  return { code: error instanceof TransportError ? error.code : 'ERR_ABORTED', cause: error }
}
