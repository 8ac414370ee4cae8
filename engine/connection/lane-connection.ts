/** A connection: one lane, its two halves, and how it comes to an end. */
import { getSystemErrorName } from 'node:util'
import type {
  Capabilities,
  ClosedInfo,
  Connection,
  ConnectionInfo,
  FrameHandler,
  SubscribeOptions,
} from '../common/connection.js'
import { events, type ConnectionEvent } from '../common/diagnostics.js'
import type { AttachedProcess, ProcessExit } from '../common/attached-process.js'
import { AwaitedPromise } from '../common/awaited-promise.js'
import { TransportError, type TransportErrorCode } from '../protocol/errors.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import type { Frame } from '../common/frame.js'
import { describeFault, framingFaults } from '../protocol/framing.js'
import { isThenable, type HandlerPlace } from '../common/handler-failures.js'
import type { LaneGrant } from '../protocol/lane.js'
import { failureCalls, inState, intent, lane, life, outState } from '../protocol/ring-layout.js'
import { checkWaitOptions } from '../common/wait-options.js'
import { checkSubscription } from '../common/subscribe-options.js'
import { trace } from '../common/trace.js'
import type { WaitOptions } from '../protocol/waiter.js'
import type { Role } from '../protocol/target.js'
import { Receiver } from './receiver.js'
import { createPendingReply, type LaneHost, type NotifyHandler } from './lane-host.js'
import type { ConnectionSettings } from './connection-settings.js'
import { Sender } from './sender.js'

export interface ConnectionIdentity {
  readonly kind: string
  readonly endpoint: string
  readonly role: Role
  readonly halfClose: boolean
}

type State =
  | { readonly kind: 'open' }
  /** `close()` was called: everything sent leaves, the peer's end is awaited, both until a deadline. */
  | { readonly kind: 'closing'; readonly cancelDeadline: () => void }
  /**
   * The process behind it has ended and somebody else holds its pipe: the shard was told to let go, nothing is dropped.
   */
  | { readonly kind: 'cutting' }
  /** The shard was told to let go at once. */
  | { readonly kind: 'destroying'; readonly error: TransportError }
  | { readonly kind: 'closed' }

/** What a stream looks like whose process has died in the middle of it. */
const BROKEN_OFF: readonly TransportErrorCode[] = ['ERR_RESET', 'ERR_TRUNCATED']

const HALF_CLOSE = { halfClose: true } as const
const NO_HALF_CLOSE = { halfClose: false } as const

/** What a connection with `salvage` tells besides `closed`. */
interface Afterlife {
  readonly fate: Promise<DeliveryReport>
  readonly settleFate: (fate: DeliveryReport) => void
  readonly exhausted: Promise<void>
  readonly tellExhausted: () => void
}

let connections = 0

/** A connection over one lane of one shard. */
export class LaneConnection implements Connection, NotifyHandler {
  /** As `closed`, of which it is not known that somebody waits for it. */
  readonly ended: Promise<ClosedInfo>
  readonly capabilities: Capabilities
  readonly #id = `${String(process.pid)}-${String(++connections)}`
  readonly #identity: ConnectionIdentity
  readonly #host: LaneHost
  readonly #lane: LaneGrant
  readonly #words: Int32Array
  readonly #base: number
  readonly #options: ConnectionSettings
  readonly #establishedAt = Date.now()
  readonly #incoming: Receiver
  readonly #outgoing: Sender
  readonly #afterlife: Afterlife | undefined
  #state: State = { kind: 'open' }
  #process: AttachedProcess | undefined
  #referenced = true
  #closeAsked = false
  /** `ended`, for whoever is not ours; made when it is first asked for. */
  #closed: Promise<ClosedInfo> | undefined
  /** How many frames had been sent and received when somebody last began to wait for `closed`. */
  #endAwaitedAt: number | undefined
  /** It is known how the process behind it has ended. */
  #concluded = false
  /** Told once when a connection that rests is not fit for use any more. */
  #onUnfit: ((why: ReuseBlocker) => void) | undefined
  #settleClosed!: (info: ClosedInfo) => void

  /** Connections are made by `Transport.connect()` and listeners. */
  constructor(host: LaneHost, grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity) {
    this.#host = host
    this.#lane = grant
    this.#words = host.wordsOf(grant)
    this.#base = host.baseOf(grant)
    this.#options = options
    this.#identity = identity
    this.capabilities = identity.halfClose ? HALF_CLOSE : NO_HALF_CLOSE
    this.ended = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    this.#afterlife = options.tracking === undefined ? undefined : createAfterlife()
    const watch = createPendingReply(identity.role === 'dialled')
    this.#outgoing = new Sender(this.#id, host, grant, options, identity.endpoint, watch)
    this.#incoming = new Receiver(host, grant, options, identity.endpoint, watch, {
      onEnd: () => {
        if (options.allowHalfOpen) return
        this.#outgoing.endAll()
        // It may read no more than it says: what was sent may never leave, and whoever reads is told its exit.
        this.#process?.endSoon()
      },
      // With allowHalfOpen whoever reads may have something left to say to a process that has ended its stdout.
      awaitsConclusion: (isClean) =>
        this.#process !== undefined && !this.#concluded && !(isClean && options.allowHalfOpen),
      onExhausted: () => this.#afterlife?.tellExhausted(),
      onFailure: (error) => {
        // Whoever waits for the end of a process is told that end.
        if (this.#incoming.stream.isInconclusive) this.cut(error)
        else this.destroy(error)
      },
      awaitsEnd: () => this.#endAwaitedAt === this.#framesMoved,
      isOfTheEnd: (cause) => this.#isEnding && this.#isOfTheEnd(cause),
      onHandlerFailed: (cause, isLate) => this.#fail('subscriber', 'a subscriber', cause, isLate),
      onStrayFailure: (cause) => {
        const message =
          'a subscriber failed after it had ended its subscription; its connection goes on. See the cause.'
        if (!this.#isOfTheEnd(cause)) this.#report('subscriber', this.#handlerError(message, cause))
      },
    })
    host.keepAlive(true)
    if (events.connectionOpened.hasSubscribers) events.connectionOpened.publish(this.#news())
    trace('connection %s: %s %s on shard %d', this.#id, identity.role, identity.endpoint, host.shard)
  }

  get closed(): Promise<ClosedInfo> {
    return (this.#closed ??= new AwaitedPromise(this.ended, () => {
      this.#endAwaitedAt = this.#framesMoved
      this.#incoming.handlers.update(false)
    }))
  }

  get info(): ConnectionInfo {
    const { framesSent, bytesSent, lastFlushAt } = this.#outgoing
    const { framesReceived, bytesReceived, lastFrameAt } = this.#incoming
    return {
      id: this.#id,
      kind: this.#identity.kind,
      endpoint: this.#identity.endpoint,
      shard: this.#host.shard,
      establishedAt: this.#establishedAt,
      framesSent,
      bytesSent,
      framesReceived,
      bytesReceived,
      lastActivityAt: Math.max(this.#establishedAt, lastFlushAt, lastFrameAt),
      ...(this.#process === undefined ? {} : { pid: this.#process.pid }),
    }
  }

  get pendingBytes(): number {
    return this.#state.kind === 'closed' ? 0 : this.#outgoing.pendingBytes
  }

  send(frame: Frame): boolean {
    return this.#outgoing.send(frame)
  }

  ready(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'ready()')
    return wrong === undefined ? this.#outgoing.ready(options) : Promise.reject(wrong)
  }

  receive(options: WaitOptions = {}): Promise<Buffer | undefined> {
    const wrong = checkWaitOptions(options, 'receive()')
    return wrong === undefined ? this.#incoming.consumer.receive(options) : Promise.reject(wrong)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.#incoming.consumer.iterate()
  }

  subscribe(handler: FrameHandler, options: SubscribeOptions = {}): () => void {
    return this.#incoming.consumer.subscribe(handler, checkSubscription(handler, options))
  }

  end(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'end()')
    return wrong === undefined ? this.#outgoing.end(options) : Promise.reject(wrong)
  }

  close(): Promise<ClosedInfo> {
    this.#closeAsked = true
    if (this.#state.kind === 'open') {
      // A child process gets times of its own, after which it is gone for certain.
      this.#process?.endSoon()
      const cancelDeadline = this.#process === undefined ? this.#startDeadline() : (): void => undefined
      this.#state = { kind: 'closing', cancelDeadline }
      this.#outgoing.endAll()
    }
    return this.ended
  }

  destroy(reason?: Error): void {
    const error =
      reason instanceof TransportError
        ? reason
        : new TransportError('ERR_ABORTED', 'the connection was destroyed by its owner.', {
            cause: reason ?? undefined,
            endpoint: this.#identity.endpoint,
          })
    if (this.cut(error)) {
      this.#incoming.abandon(error)
    } else if (this.#incoming.stream.isInconclusive) {
      // I/O is over, and the process behind it is not.
      this.#incoming.abandon(error)
      this.#process?.endNow()
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

  /** Ends at once, as `destroy()` does, but what was received stays readable. False: it was ending at once already. */
  cut(error: TransportError): boolean {
    if (this.#state.kind === 'destroying' || this.#state.kind === 'closed') return false
    if (this.#state.kind === 'closing') this.#state.cancelDeadline()
    this.#state = { kind: 'destroying', error }
    this.#process?.endNow()
    this.#outgoing.close(error)
    this.#letGo()
    return true
  }

  /**
   * A function of the host's has failed over it: it is destroyed, and that is told, unless the function failed
   * for nothing but its end.
   */
  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    const isLate = this.#state.kind === 'closed'
    if (!this.#isEnding || !this.#isOfTheEnd(cause)) this.#fail(where, what, cause, isLate)
  }

  /** A listener has given it to its handler, which may be at work for a while. Returns what that settles with. */
  attend(result: unknown): Promise<unknown> | undefined {
    if (!isThenable(result)) return undefined
    const handler = Promise.resolve(result)
    this.#incoming.handlers.tend(handler)
    return handler
  }

  /** A function that was handed a frame works on it until this settles, and holds no other frame back. */
  atWork(pending: Promise<unknown>): void {
    this.#incoming.consumer.atWork(pending)
  }

  /** Resolves once handlers are done with what has come until now; undefined: they are. Bounded by nothing. */
  settle(): Promise<void> | undefined {
    return this.#incoming.settle()
  }

  /** The next frame, if one is there: a `receive()` that does not wait. Throws ERR_CONSUMER_BUSY. */
  take(): Buffer | undefined {
    return this.#incoming.consumer.take()
  }

  /** Whether a link ends it, and not somebody who has it. */
  get carriesLink(): boolean {
    return this.#afterlife !== undefined
  }

  /** What became of every frame that was sent; settles before `closed`. Only with `salvage`. */
  get fate(): Promise<DeliveryReport> {
    return this.#afterlifeOf('fate')
  }

  /** Resolves when no frame will come any more and all that came were taken. Only with `salvage`. */
  get exhausted(): Promise<void> {
    return this.#afterlifeOf('exhausted')
  }

  /** The process whose stdin and stdout this is; `closed` waits for its end. */
  attachProcess(process: AttachedProcess): void {
    this.#process = process
    if (this.#state.kind !== 'open') process.endNow()
    void process.exited.then(() => {
      if (this.#state.kind === 'open' || this.#state.kind === 'closing') this.#startDrain()
    })
  }

  /**
   * Nobody uses it from here on, and it keeps no process alive. `onUnfit` is called once if it ends, fails, or
   * anything comes. Returns why it cannot rest; then nothing has changed.
   */
  park(onUnfit: (why: ReuseBlocker) => void): ReuseBlocker | undefined {
    // First the bell for the next byte, then the look: whatever comes after the look is told.
    this.#incoming.watch()
    const why = this.#reuseBlocker
    if (why !== undefined) return why
    this.#onUnfit = onUnfit
    this.unref()
    return undefined
  }

  /** Somebody is about to use it: ends its rest. Returns why it cannot be used. */
  checkout(): ReuseBlocker | undefined {
    this.#onUnfit = undefined
    const why = this.#reuseBlocker
    if (why === undefined) this.ref()
    return why
  }

  /** The shard has news of this lane. */
  onNotify(): boolean {
    if (this.#state.kind === 'closed') return false
    // LIFE before anything else: what was published before CLOSED is then seen by all that follows.
    const over = Atomics.load(this.#words, this.#base + lane.LIFE) === life.CLOSED
    this.#outgoing.onNotify()
    const more = this.#incoming.onNotify()
    const out = Atomics.load(this.#words, this.#base + lane.OUT_STATE)
    if (out === outState.ENDED) this.#outgoing.onEnded()
    else if (out === outState.FAILED) this.#outgoing.close(this.#notReadAnyMore())
    if (over) {
      this.#finish(this.#howItEnded())
      return false
    }
    if (this.#onUnfit !== undefined) this.#tellIfUnfit()
    if (this.#afterlife !== undefined && this.#state.kind === 'open') this.#endWithPeer(out)
    return more
  }

  /** The shard is dead: nobody else touches the lane any more. What its rings hold is still delivered. */
  onShardLost(error: TransportError): void {
    if (this.#state.kind !== 'closed') this.#finish(this.#state.kind === 'destroying' ? this.#state.error : error)
  }

  #finish(reason: TransportError | undefined): void {
    if (this.#state.kind === 'closing') this.#state.cancelDeadline()
    this.#state = { kind: 'closed' }
    this.#outgoing.close(reason)
    // Before the regions go: the bytes of frames that have not left are in them.
    const fate = this.#outgoing.settle()
    if (fate !== undefined) this.#afterlife?.settleFate(fate)
    this.#outgoing.release()
    // Who has heard the peer to its end has heard everything, whatever became of what was sent.
    const heardAll = Atomics.load(this.#words, this.#base + lane.IN_STATE) === inState.ENDED
    const fault = this.#incoming.detach(heardAll ? undefined : reason)
    const done = this.#incoming.settle()
    if (done !== undefined) this.#options.onOutlived(done)
    const error = reason ?? fault
    const heard = heardAll ? fault : error
    this.#host.releaseLane(this.#lane)
    if (this.#referenced) this.#host.keepAlive(false)
    this.#tellIfUnfit()
    const process = this.#process
    if (process === undefined) {
      this.#tellClosed(error === undefined ? { code: 'OK' } : { code: error.code, cause: error })
      return
    }
    if (error === undefined) process.endSoon()
    else process.endNow()
    void process.exited.then((exit) => {
      const cause = this.#howProcessEnded(exit, process, error)
      this.#concluded = true
      // With allowHalfOpen a clean end has been told already, or will be.
      if (heard !== undefined || !this.#options.allowHalfOpen || this.#incoming.stream.isInconclusive)
        this.#incoming.conclude(cause === error ? heard : cause)
      this.#tellClosed(cause === undefined ? { code: 'OK', ...exit } : { code: cause.code, cause, ...exit })
    })
  }

  get #framesMoved(): number {
    return this.#outgoing.framesSent + this.#incoming.framesReceived
  }

  /** Ends already, at once or by a deadline. */
  get #isEnding(): boolean {
    return this.#state.kind !== 'open'
  }

  /** Whether this is what whoever uses the connection is told when it has ended: no fault of theirs. */
  #isOfTheEnd(cause: unknown): boolean {
    if (!(cause instanceof TransportError)) return false
    const isOver = this.#isEnding || !this.#incoming.stream.isOpen || this.#outgoing.isOver
    return isOver && (cause.code === 'ERR_CLOSED' || cause === this.#incoming.stream.failure)
  }

  #fail(where: HandlerPlace, what: string, cause: unknown, isLate: boolean): TransportError {
    const done = isLate ? ' after its connection had closed' : ', so its connection was destroyed'
    const error = this.#handlerError(`${what} failed${done}. See the cause.`, cause)
    const isToBeTold = !this.#isOfTheEnd(cause)
    this.destroy(error)
    if (isToBeTold) this.#report(where, error)
    return error
  }

  #handlerError(message: string, cause: unknown): TransportError {
    return new TransportError('ERR_HANDLER', message, { cause, endpoint: this.#identity.endpoint })
  }

  #report(where: HandlerPlace, error: TransportError): void {
    this.#options.failures.report(error, {
      where,
      endpoint: this.#identity.endpoint,
      connection: this.#id,
    })
  }

  /** By what the shard has published until now, which may be ahead of the news that have been handled. */
  get #reuseBlocker(): ReuseBlocker | undefined {
    if (this.#state.kind !== 'open' || !this.#outgoing.isOpen) return 'ended'
    const words = this.#words
    const base = this.#base
    if (
      Atomics.load(words, base + lane.LIFE) === life.CLOSED ||
      Atomics.load(words, base + lane.IN_STATE) === inState.ENDED ||
      Atomics.load(words, base + lane.OUT_STATE) !== outState.OPEN
    )
      return 'ended'
    return this.#outgoing.hasUnsent ? 'unsent' : this.#incoming.reuseBlocker
  }

  #tellIfUnfit(): void {
    const tell = this.#onUnfit
    const why = tell === undefined ? undefined : this.#reuseBlocker
    if (tell === undefined || why === undefined) return
    this.#onUnfit = undefined
    tell(why)
  }

  #tellClosed(info: ClosedInfo): void {
    const { code, cause } = info
    if (events.connectionClosed.hasSubscribers) events.connectionClosed.publish({ ...this.#news(), code, cause })
    trace('connection %s: closed, %s', this.#id, code)
    this.#settleClosed(info)
  }

  /** A process that failed is the reason why its stream ended, unless the stream was ended by something else. */
  #howProcessEnded(
    { exitCode, signal }: ProcessExit,
    { stderrHead }: AttachedProcess,
    error: TransportError | undefined,
  ): TransportError | undefined {
    if (exitCode === 0 || (error !== undefined && !BROKEN_OFF.includes(error.code))) return error
    // It had broken off and lived on: that we ended it for that is no reason.
    if (error?.code === 'ERR_TRUNCATED' && signal === 'SIGTERM') return error
    const how = signal === null ? `exited with code ${String(exitCode)}` : `was ended by ${signal}`
    const said = stderrHead === '' ? '' : ` It said: ${stderrHead}`
    return new TransportError('ERR_EXIT', `the child process ${how}.${said}`, {
      cause: error,
      endpoint: this.#identity.endpoint,
    })
  }

  #startDeadline(): () => void {
    const { clock, closeTimeoutMs } = this.#options
    return clock.setTimer(() => {
      this.#giveUp(this.#closedTooSlowly('the peer to take what was sent and to end'))
    }, closeTimeoutMs)
  }

  #giveUp(error: TransportError): void {
    if (this.#afterlife === undefined) this.destroy(error)
    else this.cut(error)
  }

  /** Nothing is gained by waiting until somebody has read what the peer said: it stays readable. */
  #endWithPeer(out: number): void {
    const hasEnded = Atomics.load(this.#words, this.#base + lane.IN_STATE) === inState.ENDED
    if (hasEnded || out === outState.FAILED) void this.close()
  }

  #afterlifeOf<Key extends 'fate' | 'exhausted'>(key: Key): Afterlife[Key] {
    if (this.#afterlife === undefined) throw new Error(`a connection without tracking has no ${key}`)
    return this.#afterlife[key]
  }

  #closedTooSlowly(what: string): TransportError {
    return new TransportError(
      'ERR_TIMEOUT',
      `close() waited ${String(this.#options.closeTimeoutMs)} ms (closeTimeoutMs) for ${what}. The rest was cut.`,
      { endpoint: this.#identity.endpoint },
    )
  }

  /** The process is gone: its last words come, then the end; unless a process of its own holds the other end. */
  #startDrain(): void {
    if (this.#state.kind === 'closing') this.#state.cancelDeadline()
    const { clock, closeTimeoutMs } = this.#options
    const tail = (): number => Atomics.load(this.#words, this.#base + lane.IN_TAIL)
    const seen = tail()
    const onTimer = (): void => {
      // A lane that fills, or that is full, has more to come: only silence means that nobody is left to speak.
      if (tail() !== seen) {
        this.#startDrain()
      } else if (Atomics.load(this.#words, this.#base + lane.IN_SPACE) === 0) {
        // Silence is the peer's only if the shard, which has room, has had its turn to listen.
        void this.#host.turned().then(() => {
          if (this.#state === state) listened()
        })
      } else if (this.#closeAsked) {
        this.#giveUp(this.#closedTooSlowly('somebody to read what the child process said'))
      } else {
        this.#startDrain()
      }
    }
    const listened = (): void => {
      if (tail() !== seen) {
        this.#startDrain()
        return
      }
      this.#state = { kind: 'cutting' }
      // Nothing is to take back what the shard is told now, were there room for what is queued.
      this.#outgoing.close(undefined)
      this.#letGo()
    }
    // The connection keeps the host alive, as far as it is to.
    const cancelDeadline = clock.setTimer(onTimer, closeTimeoutMs, { keepsAlive: false })
    const state: State = { kind: 'closing', cancelDeadline }
    this.#state = state
    this.#outgoing.endAll()
  }

  #letGo(): void {
    Atomics.store(this.#words, this.#base + lane.OUT_INTENT, intent.DESTROY)
    this.#host.notify(this.#lane.id)
  }

  #news(): ConnectionEvent {
    const { kind, endpoint, role } = this.#identity
    return { id: this.#id, kind, endpoint, role, shard: this.#host.shard }
  }

  #notReadAnyMore(): TransportError {
    return new TransportError(
      'ERR_RESET',
      'the peer does not read any more: what was sent and had not left is lost. What it says can still be read.',
      { endpoint: this.#identity.endpoint },
    )
  }

  /** Undefined after a clean end. */
  #howItEnded(): TransportError | undefined {
    if (this.#state.kind === 'destroying') return this.#state.error
    if (this.#state.kind === 'cutting') return undefined
    const errno = Atomics.load(this.#words, this.#base + lane.FAILURE)
    const endpoint = this.#identity.endpoint
    if (errno === 0) {
      if (Atomics.load(this.#words, this.#base + lane.IN_STATE) === inState.ENDED) return undefined
      return this.#outgoing.isOpen
        ? new TransportError('ERR_RESET', 'the peer cut the connection. Connect again.', { endpoint })
        : undefined
    }
    const fault = framingFaults[-1 - errno]
    if (fault !== undefined) return new TransportError(fault, describeFault(fault, this.#options.framing), { endpoint })
    const syscall = failureCalls[Atomics.load(this.#words, this.#base + lane.FAILURE_CALL)] ?? 'unknown'
    const code = getSystemErrorName(-errno)
    const cause = Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall })
    if (code === 'ECONNRESET' || code === 'EPIPE') {
      return new TransportError('ERR_RESET', 'the peer cut the connection. Connect again.', {
        cause,
        endpoint,
      })
    }
    return new TransportError('ERR_IO', `the connection failed: ${cause.message}. Connect again.`, {
      cause,
      endpoint,
    })
  }

  #reference(on: boolean): this {
    if (this.#referenced !== on && this.#state.kind !== 'closed') {
      this.#referenced = on
      this.#host.keepAlive(on)
    }
    return this
  }
}

function createAfterlife(): Afterlife {
  let settleFate: Afterlife['settleFate'] = () => undefined
  let tellExhausted: Afterlife['tellExhausted'] = () => undefined
  const fate = new Promise<DeliveryReport>((resolve) => {
    settleFate = resolve
  })
  const exhausted = new Promise<void>((resolve) => {
    tellExhausted = resolve
  })
  return { fate, settleFate, exhausted, tellExhausted }
}
