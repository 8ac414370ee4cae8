/** A link: what looks like one connection, and is one after another for as long as the peer comes back. */
import { events, type ReconnectingEvent } from '../common/diagnostics.js'
import { TransportError, type TransportErrorCode } from '../protocol/errors.js'
import type { Capabilities, ClosedInfo, ConnectionInfo } from '../common/connection.js'
import { nameOf } from '../common/describe.js'
import type { Frame } from '../common/frame.js'
import { attempt, notPromised, type HandlerPlace } from '../common/handler-failures.js'
import { checkSubscription } from '../common/subscribe-options.js'
import { trace } from '../common/trace.js'
import { checkWaitOptions, invalidOption } from '../common/wait-options.js'
import { abortError, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { Permit } from './breaker.js'
import type { Carrier } from './carrier.js'
import type { ReconnectingConnection, ReconnectingState, ReconnectingStats } from './reconnecting-connection.js'
import { UserFrames } from './user-frames.js'
import { Attempts } from './attempts.js'
import { asError, establish, GreetingFailure, type AttemptFacts } from './establish.js'
import { Heartbeat } from './heartbeat.js'
import { Inbox } from './inbox.js'
import { Outbox } from './outbox.js'
import type { LossReport, ReconnectingSettings } from './reconnecting-settings.js'

/** A connection that carries the link, or has until a moment ago. */
interface Line<C> {
  readonly connection: C
  /** Counted from 1. */
  readonly number: number
  readonly since: number
  readonly own: UserFrames
  readonly heartbeat: Heartbeat | undefined
}

type State<C> =
  /** Made in this turn. */
  | { readonly kind: 'fresh' }
  /** In line for the breaker's permit. */
  | { readonly kind: 'queueing'; readonly cancel: () => void }
  | { readonly kind: 'pausing'; readonly cancel: () => void }
  | { readonly kind: 'connecting'; readonly attempt: AbortController }
  | { readonly kind: 'connected'; readonly line: Line<C> }
  /** Its connection was told to end at once. */
  | { readonly kind: 'destroying'; readonly line: Line<C>; readonly error: Error }
  | { readonly kind: 'closed' }

/** What the user wants of it; it only ever moves down. */
type Wish = 'stay' | 'end' | 'close'

const nothing = (): void => undefined

let made = 0

export class Reconnector<C extends Carrier> implements ReconnectingConnection {
  readonly closed: Promise<ClosedInfo>
  readonly capabilities: Capabilities
  readonly #id = `${String(process.pid)}-reconnecting-${String(++made)}`
  readonly #settings: ReconnectingSettings<C>
  readonly #attempts: Attempts
  readonly #inbox: Inbox<C>
  readonly #outbox: Outbox<C>
  readonly #listeners = new Set<(state: ReconnectingState) => unknown>()
  readonly #connectWaiters = new Set<Waiter<void>>()
  readonly #endWaiters = new Set<Waiter<void>>()
  #state: State<C> = { kind: 'fresh' }
  #told: ReconnectingState = 'connecting'
  #wish: Wish = 'stay'
  /** Ends what is left to be sent after `end()` or `close()`; undefined: no such deadline runs. */
  #cancelDeadline: (() => void) | undefined
  #lastFailure: Error | undefined
  #lastLoss: LossReport | undefined
  /** When the time of `close()` is over. */
  #closeBy: number | undefined
  #connections = 0
  #losses = 0
  #establishedAt = 0
  #lastActivityAt = 0
  #hasEnded = false
  #referenced = true
  #settleClosed: (ending: ClosedInfo) => void = nothing

  /** Links are made by `Transport.reconnecting()`. */
  constructor(settings: ReconnectingSettings<C>) {
    const { endpoint, clock, random } = settings
    this.#settings = settings
    this.capabilities = { halfClose: settings.halfClose }
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    this.#attempts = new Attempts(endpoint, settings, random, clock.now())
    this.#inbox = new Inbox(endpoint, clock, {
      onReport: (report) => {
        this.#report(report)
      },
      onHandlerFailed: (where, cause) => {
        if (this.#isOfTheEnd(cause)) return false
        this.handlerFailed(where, where === 'subscriber' ? 'a subscriber' : 'heartbeat.isPong', cause)
        return true
      },
      onStrayFailure: (cause) => {
        if (this.#isOfTheEnd(cause)) return
        this.#tellFailure('subscriber', 'a subscriber failed after it had ended its subscription', cause)
      },
    })
    this.#outbox = new Outbox(settings, (connection) => {
      this.#onDrained(connection)
    })
    settings.keepAlive(true)
    trace('link %s: to %s', this.#id, endpoint)
    // Not at once: whoever makes it has a turn to add listeners.
    queueMicrotask(() => {
      if (this.#state.kind === 'fresh') this.#begin()
    })
  }

  get state(): ReconnectingState {
    switch (this.#state.kind) {
      case 'closed':
        return 'closed'
      case 'destroying':
        return 'closing'
      case 'queueing':
      case 'pausing':
        return this.#wish === 'close' ? 'closing' : 'waiting'
      case 'fresh':
      case 'connecting':
        return this.#wish === 'close' ? 'closing' : 'connecting'
      case 'connected':
        return this.#wish === 'close' ? 'closing' : 'connected'
    }
  }

  get attempts(): number {
    return this.#attempts.count
  }

  get info(): ConnectionInfo {
    const line = this.#line
    const carrier = line?.connection.info
    const { framesSent, bytesSent } = this.#outbox
    const { framesReceived, bytesReceived } = this.#inbox
    return {
      id: this.#id,
      kind: this.#settings.kind,
      endpoint: this.#settings.endpoint,
      shard: carrier?.shard ?? -1,
      establishedAt: this.#establishedAt,
      framesSent,
      bytesSent,
      framesReceived,
      bytesReceived,
      lastActivityAt: carrier?.lastActivityAt ?? this.#lastActivityAt,
      ...(carrier?.pid === undefined ? {} : { pid: carrier.pid }),
    }
  }

  /** */
  get stats(): ReconnectingStats {
    return {
      id: this.#id,
      endpoint: this.#settings.endpoint,
      state: this.state,
      attempts: this.attempts,
      losses: this.#losses,
    }
  }

  get pendingBytes(): number {
    return this.#outbox.queuedBytes + (this.#line?.connection.pendingBytes ?? 0)
  }

  onStateChange(listener: (state: ReconnectingState) => unknown): () => void {
    if (typeof listener !== 'function') throw invalidOption('onStateChange()', 'listener', 'it must be a function')
    const own = (state: ReconnectingState): unknown => listener(state)
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }

  connected(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'connected()')
    if (wrong !== undefined) return Promise.reject(wrong)
    if (this.#state.kind === 'connected') return Promise.resolve()
    if (this.#state.kind === 'closed' || this.#state.kind === 'destroying')
      return Promise.reject(this.#refusal(this.#lastFailure))
    return this.#wait('connecting', options, this.#connectWaiters)
  }

  send(frame: Frame): boolean {
    return this.#outbox.send(frame)
  }

  ready(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'ready()')
    return wrong === undefined ? this.#outbox.ready(options) : Promise.reject(wrong)
  }

  receive(options: WaitOptions = {}): Promise<Buffer | undefined> {
    const wrong = checkWaitOptions(options, 'receive()')
    return wrong === undefined ? this.#inbox.receive(options) : Promise.reject(wrong)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.#inbox.iterate()
  }

  subscribe(handler: (frame: Buffer) => unknown, options: { readonly borrow?: boolean | undefined } = {}): () => void {
    return this.#inbox.subscribe(handler, checkSubscription(handler, options))
  }

  end(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'end()')
    if (wrong !== undefined) return Promise.reject(wrong)
    this.#wind('end')
    if (this.#hasEnded || this.#state.kind === 'closed' || this.#state.kind === 'destroying') return Promise.resolve()
    return this.#wait('ending', options, this.#endWaiters)
  }

  close(): Promise<ClosedInfo> {
    this.#wind('close')
    return this.closed
  }

  destroy(reason?: Error): void {
    const state = this.#state
    if (state.kind === 'closed' || state.kind === 'destroying') return
    const error =
      reason instanceof TransportError
        ? reason
        : new TransportError('ERR_ABORTED', 'the link was destroyed by its owner.', {
            cause: reason ?? undefined,
            endpoint: this.#settings.endpoint,
          })
    this.#outbox.refuse(this.#refusal(error))
    this.#inbox.abandon(error)
    if (state.kind === 'connected') {
      this.#enter({ kind: 'destroying', line: state.line, error })
      state.line.connection.destroy(error)
    } else {
      this.#finish({ code: error.code, cause: error })
    }
  }

  ref(): this {
    return this.#reference(true)
  }

  unref(): this {
    return this.#reference(false)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  /** A function of the host's has failed over it: it is destroyed, and that is told. */
  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    if (this.#isOfTheEnd(cause)) return
    const isOver = this.#state.kind === 'closed'
    const done = isOver ? ' after its link had closed' : ', so its link was destroyed'
    const error = this.#handlerError(`${what} failed${done}. See the cause.`, cause)
    this.destroy(error)
    this.#reportFailure(where, error)
  }

  /** A function that was handed a frame works on it until this settles, and holds no other frame back. */
  atWork(pending: Promise<unknown>): void {
    this.#inbox.atWork(pending)
  }

  /** Resolves once subscribers are done with what they have; undefined: they are. Bounded by nothing. */
  settle(): Promise<unknown> | undefined {
    return this.#inbox.settle()
  }

  get #line(): Line<C> | undefined {
    const state = this.#state
    return state.kind === 'connected' || state.kind === 'destroying' ? state.line : undefined
  }

  /** Asks for leave to make an attempt, and makes it. */
  #begin(): void {
    const { breaker, clock, firstConnect } = this.#settings
    if (breaker === undefined) {
      this.#attempt(undefined)
      return
    }
    const permit = breaker.tryAdmit()
    if (permit !== undefined) {
      this.#attempt(permit)
      return
    }
    const refusal = breaker.refusal
    if (refusal !== undefined && firstConnect === 'fail-fast' && this.#connections === 0) {
      this.#finish({ code: refusal.code, cause: refusal })
      return
    }
    const leave = breaker.wait((admitted) => {
      cancelTimer()
      this.#attempt(admitted)
    })
    const timeLeft = this.#attempts.timeLeft(clock.now())
    const onTimer = (): void => {
      leave()
      this.#giveUpOr(breaker.refusal ?? this.#lastFailure, nothing)
    }
    const cancelTimer = timeLeft === Infinity ? nothing : this.#setTimer(onTimer, timeLeft)
    this.#enter({
      kind: 'queueing',
      cancel: () => {
        leave()
        cancelTimer()
      },
    })
  }

  #attempt(permit: Permit | undefined): void {
    const attempt = new AbortController()
    const number = ++this.#attempts.count
    const isCurrent = (): boolean => this.#state.kind === 'connecting' && this.#state.attempt === attempt
    this.#enter({ kind: 'connecting', attempt })
    events.reconnectingAttempt.publish({ ...this.#news(), attempt: number })
    if (!isCurrent()) {
      // Somebody who was told has ended it.
      permit?.abandoned()
      return
    }
    const facts: AttemptFacts = {
      attempt: number,
      isFirst: this.#connections === 0,
      loss: this.#lastLoss,
      timeoutMs: () => this.#connectTimeoutMs(),
    }
    establish(this.#settings, facts, attempt.signal).then(
      (connection) => {
        if (isCurrent()) {
          this.#onEstablished(connection, number)
          permit?.succeeded()
        } else {
          permit?.abandoned()
          connection.destroy()
        }
      },
      (error: unknown) => {
        const cause = asError(error instanceof GreetingFailure ? error.cause : error)
        // An error of ours says what happened to the attempt; any other is a fault of the greeting's.
        if (error instanceof GreetingFailure && !(error.cause instanceof TransportError))
          this.#tellFailure('onConnected', 'onConnected failed, and the attempt with it', error.cause)
        const isHopeless = cause === error && cause instanceof TransportError && !cause.retryable
        if (!isCurrent() || isOurOwn(cause)) permit?.abandoned()
        else permit?.failed(cause)
        if (isCurrent()) this.#onFailed(cause, isHopeless)
      },
    )
  }

  #onEstablished(connection: C, attempt: number): void {
    const { heartbeat, clock } = this.#settings
    const own = new UserFrames(connection.info.framesSent)
    const line: Line<C> = {
      connection,
      number: ++this.#connections,
      since: clock.now(),
      own,
      heartbeat:
        heartbeat === undefined
          ? undefined
          : new Heartbeat(heartbeat, clock, {
              isReading: () => this.#inbox.isReading(connection),
              ping: (make) => {
                this.#ping(connection, own, make)
              },
              onSilent: () => {
                const ms = String(heartbeat.timeoutMs)
                const message = `the peer said nothing for ${ms} ms (heartbeat.timeoutMs) after it was asked.`
                const { endpoint } = this.#settings
                connection.cut(new TransportError('ERR_TIMEOUT', message, { endpoint }))
              },
            }),
    }
    this.#lastLoss = undefined
    if (this.#establishedAt === 0) this.#establishedAt = Date.now()
    if (this.#wish === 'end') this.#endDeadline()
    void connection.closed.then((ending) => this.#onLost(line, ending))
    this.#enter({ kind: 'connected', line })
    events.reconnectingConnected.publish({ ...this.#news(), attempt })
    trace('link %s: connected, attempt %d', this.#id, attempt)
    if (this.#line !== line || this.#state.kind === 'destroying') return
    this.#inbox.add({ connection, filter: (frame) => line.heartbeat?.onFrame(frame) === true })
    for (const waiter of this.#connectWaiters) waiter.resolve()
    this.#connectWaiters.clear()
    this.#outbox.connect(connection)
  }

  #ping(connection: C, own: UserFrames, make: () => Frame): void {
    // What has not left stands before it: then the peer does not read.
    if (connection.pendingBytes > 0) return
    const place = connection.info.framesSent
    try {
      connection.send(notPromised(make(), 'heartbeat.ping'))
      own.pingAt(place)
    } catch (cause) {
      // A connection that has ended will be lost presently; anything else is the ping's fault.
      if (cause instanceof TransportError && cause.code === 'ERR_CLOSED') return
      this.handlerFailed('heartbeat', 'heartbeat.ping, or sending what it made,', cause)
    }
  }

  #onFailed(error: Error, isHopeless: boolean): void {
    this.#lastFailure = error
    events.reconnectingFailed.publish({ ...this.#news(), error })
    trace('link %s: attempt failed, %s', this.#id, nameOf(error))
    if (this.#state.kind === 'closed') return
    const { firstConnect } = this.#settings
    if (isHopeless || (firstConnect === 'fail-fast' && this.#connections === 0)) {
      this.#fail(error)
      return
    }
    this.#giveUpOr(error, () => {
      this.#pause()
    })
  }

  async #onLost(line: Line<C>, ending: ClosedInfo): Promise<void> {
    const { connection, number, own, heartbeat } = line
    heartbeat?.stop()
    const fate = own.of(await connection.delivery)
    const { clock, unsent, stableMs, maxElapsedMs } = this.#settings
    this.#losses++
    this.#lastActivityAt = connection.info.lastActivityAt
    // One that has outlasted all the time there is for trying is stable too.
    if (clock.now() - line.since >= Math.min(stableMs, maxElapsedMs)) this.#attempts.reset(clock.now())
    if (ending.cause !== undefined) this.#lastFailure = ending.cause
    const again = unsent === 'resend' ? fate.unsent : []
    this.#outbox.disconnect(again)
    const end = this.#endAfter(ending)
    // Left before anybody is told: whoever calls close() or destroy() from there finds a link without a connection.
    const resting: State<C> = { kind: 'pausing', cancel: nothing }
    this.#state = resting
    events.reconnectingLost.publish({ ...this.#news(), code: ending.code, cause: ending.cause })
    trace('link %s: connection %d lost, %s', this.#id, number, ending.code)
    const left = end === undefined ? [] : this.#outbox.close(this.#refusal(end.cause))
    const report: LossReport = {
      connection: number,
      code: ending.code,
      cause: ending.cause,
      isFinal: end !== undefined,
      handedOver: fate.handedOver,
      retained: fate.retained,
      unconfirmed: fate.unconfirmed,
      resent: end === undefined ? again.length : 0,
      dropped: unsent === 'resend' ? left : [...fate.unsent, ...left],
      lost: fate.lost,
      unreadDropped: 0,
    }
    this.#lastLoss = report
    // Its user has ended it and nothing was lost: that is no loss.
    const isOrderly = end?.code === 'OK' && report.unconfirmed.length + report.dropped.length + report.lost === 0
    this.#inbox.lose(connection, isOrderly ? undefined : report)
    if (this.#state !== resting) return
    if (end !== undefined) this.#finish(end)
    else this.#pause()
  }

  /** How the link ends with this connection; undefined: it goes on. */
  #endAfter(ending: ClosedInfo): ClosedInfo | undefined {
    const state = this.#state
    if (state.kind === 'destroying') return { code: codeOf(state.error), cause: state.error }
    if (this.#wish !== 'stay' && this.#outbox.isEmpty) return ending
    const { code, cause } = ending
    if (cause instanceof TransportError && !cause.retryable) return { code, cause }
    const exhausted = this.#attempts.exhausted(this.#settings.clock.now(), this.#lastFailure)
    return exhausted === undefined ? undefined : { code: exhausted.code, cause: exhausted }
  }

  #pause(): void {
    const { clock } = this.#settings
    if (this.#wish !== 'stay' && this.#outbox.isEmpty) {
      this.#finish({ code: 'OK' })
      return
    }
    const onTimer = (): void => {
      this.#giveUpOr(this.#lastFailure, () => {
        this.#begin()
      })
    }
    const cancel = this.#setTimer(onTimer, this.#attempts.nextPause(clock.now()))
    if (this.#wish !== 'stay') this.#startDeadline()
    this.#enter({ kind: 'pausing', cancel })
  }

  #giveUpOr(last: Error | undefined, goOn: () => void): void {
    const exhausted = this.#attempts.exhausted(this.#settings.clock.now(), last)
    if (exhausted === undefined) goOn()
    else this.#fail(exhausted)
  }

  #fail(error: Error): void {
    this.#finish({ code: codeOf(error), cause: error })
  }

  /** `end()` or `close()` was called. */
  #wind(wish: 'end' | 'close'): void {
    const state = this.#state
    if (this.#wish === 'close' || this.#wish === wish) return
    if (state.kind === 'closed' || state.kind === 'destroying') return
    this.#wish = wish
    this.#outbox.refuse(this.#refusal(undefined))
    this.#tell()
    if (state.kind !== 'connected') {
      if (this.#outbox.isEmpty) this.#finish({ code: 'OK' })
      else this.#startDeadline()
      return
    }
    if (wish === 'close') this.#startDeadline()
    if (this.#outbox.isDrained) this.#onDrained(state.line.connection)
  }

  /** Everything taken was given to the connection: what the user wants of the link is now to be had of it. */
  #onDrained(connection: C): void {
    if (this.#wish === 'stay') return
    if (this.#wish === 'close') {
      // It has a deadline of its own, and, if it is a process, others.
      this.#endDeadline()
      void connection.close()
    }
    void connection.end().then(async () => {
      // Also resolved by a loss; then there may be something left to send. A fate that is known comes first in the
      // race.
      const fate = await Promise.race([connection.delivery, Promise.resolve(undefined)])
      if (fate === undefined && connection.pendingBytes === 0) this.#tellEnded()
    })
  }

  /** Bounds what is left to be sent. After `close()` there is one such time in all, after `end()` one for each loss. */
  #startDeadline(): void {
    if (this.#cancelDeadline !== undefined) return
    const { closeTimeoutMs, endpoint, clock } = this.#settings
    if (this.#wish === 'close') this.#closeBy ??= clock.now() + closeTimeoutMs
    const left = this.#closeBy === undefined ? closeTimeoutMs : Math.max(0, this.#closeBy - clock.now())
    this.#cancelDeadline = this.#setTimer(() => {
      this.#cancelDeadline = undefined
      const message = `${String(closeTimeoutMs)} ms (closeTimeoutMs) were not enough for what was sent to leave. The last loss report has what was dropped.`
      const error = new TransportError('ERR_TIMEOUT', message, { endpoint, cause: this.#lastFailure })
      const state = this.#state
      if (state.kind === 'connected') {
        this.#enter({ kind: 'destroying', line: state.line, error })
        state.line.connection.cut(error)
      } else {
        this.#fail(error)
      }
    }, left)
  }

  #endDeadline(): void {
    this.#cancelDeadline?.()
    this.#cancelDeadline = undefined
  }

  #tellEnded(): void {
    this.#hasEnded = true
    for (const waiter of this.#endWaiters) waiter.resolve()
    this.#endWaiters.clear()
  }

  #finish(ending: ClosedInfo): void {
    const state = this.#state
    if (state.kind === 'closed') return
    this.#state = { kind: 'closed' }
    if (state.kind === 'queueing' || state.kind === 'pausing') state.cancel()
    if (state.kind === 'connecting') state.attempt.abort()
    this.#endDeadline()
    const dropped = this.#outbox.close(this.#refusal(ending.cause))
    this.#inbox.end(ending.cause, dropped.length === 0 ? undefined : this.#leftOver(ending, dropped))
    for (const waiter of this.#connectWaiters) waiter.reject(this.#refusal(ending.cause))
    this.#connectWaiters.clear()
    this.#tellEnded()
    this.#tell()
    if (this.#referenced) this.#settings.keepAlive(false)
    this.#settings.onClosed(ending)
    if (ending.code === 'ERR_GAVE_UP' && ending.cause !== undefined)
      events.reconnectingGaveUp.publish({ ...this.#news(), error: ending.cause })
    events.reconnectingClosed.publish({ ...this.#news(), code: ending.code, cause: ending.cause })
    trace('link %s: closed, %s', this.#id, ending.code)
    this.#settleClosed(ending)
  }

  /** The link ends without a connection, and with frames that waited for one. */
  #leftOver({ code, cause }: ClosedInfo, dropped: readonly Buffer[]): LossReport {
    return {
      connection: 0,
      code,
      cause,
      isFinal: true,
      handedOver: 0,
      retained: [],
      unconfirmed: [],
      resent: 0,
      dropped,
      lost: 0,
      unreadDropped: 0,
    }
  }

  #report(report: LossReport): void {
    attempt(
      () => this.#settings.onLoss?.(report),
      (cause) => {
        this.#tellFailure('onLoss', 'onLoss failed', cause)
      },
    )
  }

  #enter(state: State<C>): void {
    this.#state = state
    this.#tell()
  }

  #tell(): void {
    const { state } = this
    if (state === this.#told) return
    this.#told = state
    for (const listener of [...this.#listeners]) {
      attempt(
        () => listener(state),
        (cause) => {
          this.#tellFailure('onStateChange', 'a listener of onStateChange failed', cause)
        },
      )
    }
  }

  /** Whether this is what whoever uses the link is told when it has ended: no fault of theirs. */
  #isOfTheEnd(cause: unknown): boolean {
    const isEnding = this.#wish !== 'stay' || this.#state.kind === 'closed' || this.#state.kind === 'destroying'
    return isEnding && cause instanceof TransportError && cause.code === 'ERR_CLOSED'
  }

  /** It disturbs nothing here. */
  #tellFailure(where: HandlerPlace, what: string, cause: unknown): void {
    this.#reportFailure(where, this.#handlerError(`${what}; the link goes on. See the cause.`, cause))
  }

  #reportFailure(where: HandlerPlace, error: TransportError): void {
    const { endpoint, failures } = this.#settings
    failures.report(error, { where, endpoint, connection: this.#id })
  }

  #handlerError(message: string, cause: unknown): TransportError {
    return new TransportError('ERR_HANDLER', message, { cause, endpoint: this.#settings.endpoint })
  }

  #wait(what: string, options: WaitOptions, waiters: Set<Waiter<void>>): Promise<void> {
    const { endpoint, clock } = this.#settings
    if (options.signal?.aborted === true) return Promise.reject(abortError(what, endpoint, options.signal.reason))
    const waiter = new Waiter<void>(what, endpoint, options, clock, () => {
      waiters.delete(waiter)
    })
    waiters.add(waiter)
    return waiter.promise
  }

  #connectTimeoutMs(): number {
    const { connectTimeoutMs, clock } = this.#settings
    return Math.min(connectTimeoutMs, this.#attempts.timeLeft(clock.now()))
  }

  /** The link itself keeps the process alive, for as long as it is to; its timers need not. */
  #setTimer(fn: () => void, ms: number): () => void {
    return this.#settings.clock.setTimer(fn, ms, { keepsAlive: false })
  }

  #reference(on: boolean): this {
    if (on === this.#referenced) return this
    this.#referenced = on
    if (this.#state.kind !== 'closed') this.#settings.keepAlive(on)
    return this
  }

  #news(): ReconnectingEvent {
    return { endpoint: this.#settings.endpoint, id: this.#id }
  }

  #refusal(cause: Error | undefined): TransportError {
    const message = 'the link is closed or ending: no more frames can be sent. `closed` says why it ended.'
    return new TransportError('ERR_CLOSED', message, { cause, endpoint: this.#settings.endpoint })
  }
}

/** The failure says something of this process, and nothing of the endpoint. */
function isOurOwn(error: Error): boolean {
  return (
    error instanceof TransportError &&
    ['ERR_ABORTED', 'ERR_SHARD_LOST', 'ERR_SHARD_BOOT', 'ERR_ENGINE_CLOSED'].includes(error.code)
  )
}

function codeOf(error: Error): TransportErrorCode {
  return error instanceof TransportError ? error.code : 'ERR_ABORTED'
}
