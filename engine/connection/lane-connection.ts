/** A connection over one lane of one shard: its two halves, and how they come to an end together. */
import type {
  Capabilities,
  ClosedInfo,
  Connection,
  ConnectionInfo,
  FrameHandler,
  SubscribeOptions,
} from '../common/connection.js'
import { events, type ConnectionEvent } from '../common/diagnostics.js'
import type { AttachedProcess } from '../common/attached-process.js'
import { AwaitedPromise } from '../common/awaited-promise.js'
import { Deferred } from '../common/deferred.js'
import { TransportError } from '../protocol/errors.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import { destroyReason } from '../common/destroy-reason.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import type { Frame } from '../common/frame.js'
import { handlerError, isThenable, type HandlerPlace } from '../common/handler-failures.js'
import type { LaneGrant } from '../protocol/lane.js'
import { inState, intent, lane, life, outState } from '../protocol/ring-layout.js'
import { checkWaitOptions } from '../common/wait-options.js'
import { checkSubscription } from '../common/subscribe-options.js'
import { trace } from '../common/trace.js'
import type { WaitOptions } from '../protocol/waiter.js'
import type { Role } from '../protocol/target.js'
import { closeTimeout, laneFailure, peerCut, peerStoppedReading } from './connection-errors.js'
import type { ConnectionSettings } from './connection-settings.js'
import { leave, OPEN, transition, type ConnectionStep } from './connection-state.js'
import { createPendingReply, type LaneHost, type NotifyHandler } from './lane-host.js'
import { awaitLastWords, processFailure } from './process-end.js'
import { Receiver } from './receiver.js'
import { Sender } from './sender.js'

export interface ConnectionIdentity {
  readonly kind: string
  readonly endpoint: string
  readonly role: Role
  readonly halfClose: boolean
}

const nothing = (): void => undefined

const HALF_CLOSE = { halfClose: true } as const
const NO_HALF_CLOSE = { halfClose: false } as const

/** What a connection with `tracking` tells besides `closed`. */
interface Tracked {
  readonly delivery: Deferred<DeliveryReport>
  readonly exhausted: Deferred<void>
}

let connections = 0

export class LaneConnection implements Connection, NotifyHandler {
  readonly capabilities: Capabilities
  readonly #id = `${String(process.pid)}-${String(++connections)}`
  readonly #identity: ConnectionIdentity
  readonly #host: LaneHost
  readonly #lane: LaneGrant
  readonly #words: Int32Array
  readonly #base: number
  readonly #options: ConnectionSettings
  readonly #establishedAt = Date.now()
  readonly #receiver: Receiver
  readonly #sender: Sender
  readonly #tracked: Tracked | undefined
  readonly #ended = new Deferred<ClosedInfo>()
  #state = OPEN
  #process: AttachedProcess | undefined
  #referenced = true
  /** Made when it is first asked for. */
  #closed: Promise<ClosedInfo> | undefined
  /** How many frames had been sent and received when a user last began to wait for `closed`. */
  #endAwaitedAt: number | undefined
  /** It is known how the process behind it has ended. */
  #concluded = false
  /** Called once when a parked connection cannot be used any more. */
  #onUnfit: ((why: ReuseBlocker) => void) | undefined

  /** Connections are made by `Transport.connect()` and listeners. */
  constructor(host: LaneHost, grant: LaneGrant, options: ConnectionSettings, identity: ConnectionIdentity) {
    this.#host = host
    this.#lane = grant
    this.#words = host.wordsOf(grant)
    this.#base = host.baseOf(grant)
    this.#options = options
    this.#identity = identity
    this.capabilities = identity.halfClose ? HALF_CLOSE : NO_HALF_CLOSE
    const isTracked = options.tracking !== undefined
    this.#tracked = isTracked ? { delivery: new Deferred(), exhausted: new Deferred() } : undefined
    const pendingReply = createPendingReply(identity.role === 'dialled')
    this.#sender = new Sender(this.#id, host, grant, options, identity.endpoint, pendingReply)
    this.#receiver = new Receiver(host, grant, options, identity.endpoint, pendingReply, {
      onEnd: () => {
        if (options.allowHalfOpen) return
        this.#sender.endAll()
        // It may read no more than it says: what was sent may never leave, and whoever reads is told its exit.
        this.#process?.endSoon()
      },
      // With allowHalfOpen whoever reads may have something left to say to a process that has ended its stdout.
      awaitsConclusion: (isClean) =>
        this.#process !== undefined && !this.#concluded && !(isClean && options.allowHalfOpen),
      onExhausted: () => this.#tracked?.exhausted.resolve(),
      onFailure: (error) => {
        // Whoever waits for the end of a process is told that end.
        if (this.#receiver.stream.isInconclusive) this.cut(error)
        else this.destroy(error)
      },
      awaitsEnd: () => this.#endAwaitedAt === this.#framesMoved,
      isOfTheEnd: (cause) => this.#state !== OPEN && this.#isOfTheEnd(cause),
      onHandlerFailed: (cause, isLate) => this.#fail('subscriber', 'a subscriber', cause, isLate),
      onStrayFailure: (cause) => {
        if (this.#isOfTheEnd(cause)) return
        const message =
          'a subscriber failed after it had ended its subscription; its connection goes on. See the cause.'
        this.#report('subscriber', handlerError(message, cause, identity.endpoint))
      },
    })
    host.keepAlive(true)
    if (events.connectionOpened.hasSubscribers) events.connectionOpened.publish(this.#event)
    trace('connection %s: %s %s on shard %d', this.#id, identity.role, identity.endpoint, host.shard)
  }

  get closed(): Promise<ClosedInfo> {
    return (this.#closed ??= new AwaitedPromise(this.ended, () => {
      this.#endAwaitedAt = this.#framesMoved
      this.#receiver.handlers.update(false)
    }))
  }

  /** As `closed`, without anybody counting as waiting for it: see `HandlerDrainEvents.awaitsEnd()`. */
  get ended(): Promise<ClosedInfo> {
    return this.#ended.promise
  }

  get info(): ConnectionInfo {
    const { framesSent, bytesSent, lastFlushAt } = this.#sender
    const { framesReceived, bytesReceived, lastFrameAt } = this.#receiver
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
    return this.#state.kind === 'closed' ? 0 : this.#sender.pendingBytes
  }

  send(frame: Frame): boolean {
    return this.#sender.send(frame)
  }

  ready(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'ready()')
    return wrong === undefined ? this.#sender.ready(options) : Promise.reject(wrong)
  }

  receive(options: WaitOptions = {}): Promise<Buffer | undefined> {
    const wrong = checkWaitOptions(options, 'receive()')
    return wrong === undefined ? this.#receiver.consumer.receive(options) : Promise.reject(wrong)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.#receiver.consumer.iterate()
  }

  subscribe(handler: FrameHandler, options: SubscribeOptions = {}): () => void {
    return this.#receiver.consumer.subscribe(handler, checkSubscription(handler, options))
  }

  end(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'end()')
    return wrong === undefined ? this.#sender.end(options) : Promise.reject(wrong)
  }

  close(): Promise<ClosedInfo> {
    if (this.#state === OPEN) {
      // A child process has its own times, after which it is gone for certain.
      this.#process?.endSoon()
      this.#step({ kind: 'close', cancel: this.#process === undefined ? this.#startDeadline() : nothing })
      this.#sender.endAll()
    } else {
      this.#step({ kind: 'close', cancel: nothing })
    }
    return this.ended
  }

  destroy(reason?: Error): void {
    const error = destroyReason(reason, this.#identity.endpoint)
    if (this.cut(error)) {
      this.#receiver.abandon(error)
    } else if (this.#receiver.stream.isInconclusive) {
      // I/O is over, and the process behind it is not.
      this.#receiver.abandon(error)
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
    if (!this.#step({ kind: 'destroy', error })) return false
    this.#process?.endNow()
    this.#sender.close(error)
    this.#cutLane()
    return true
  }

  /**
   * A function of the host's has failed over it: it is destroyed, and that is told, unless the function failed
   * for nothing but its end.
   */
  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    if (this.#state !== OPEN && this.#isOfTheEnd(cause)) return
    this.#fail(where, what, cause, this.#state.kind === 'closed')
  }

  /** A listener has given it to its handler, which may be at work for a while. Returns what that settles with. */
  attend(result: unknown): Promise<unknown> | undefined {
    if (!isThenable(result)) return undefined
    const handler = Promise.resolve(result)
    this.#receiver.handlers.tend(handler)
    return handler
  }

  /** A function that was handed a frame works on it until this settles, and holds no other frame back. */
  atWork(pending: Promise<unknown>): void {
    this.#receiver.consumer.atWork(pending)
  }

  /** Resolves once handlers are done with what has come until now; undefined: they are. Bounded by nothing. */
  settle(): Promise<void> | undefined {
    return this.#receiver.settle()
  }

  /** The next frame, if one is there: a `receive()` that does not wait. Throws ERR_CONSUMER_BUSY. */
  take(): Buffer | undefined {
    return this.#receiver.consumer.take()
  }

  /** Whether a reconnecting connection ends it, and no user. */
  get carriesLink(): boolean {
    return this.#tracked !== undefined
  }

  /** What became of every frame that was sent; settles before `closed`. Only with `tracking`. */
  get fate(): Promise<DeliveryReport> {
    return this.#trackedOnly.delivery.promise
  }

  /** Resolves when no frame will come any more and all that came were taken. Only with `tracking`. */
  get exhausted(): Promise<void> {
    return this.#trackedOnly.exhausted.promise
  }

  /** The process whose stdin and stdout this is; `closed` waits for its end. */
  attachProcess(process: AttachedProcess): void {
    this.#process = process
    if (this.#state !== OPEN) process.endNow()
    void process.exited.then(() => {
      if (this.#state.kind === 'open' || this.#state.kind === 'closing') this.#drain()
    })
  }

  /**
   * It has no user from here on, and keeps no process alive. `onUnfit` is called once if it ends, fails, or anything
   * comes. Returns why it cannot be parked; then nothing has changed.
   */
  park(onUnfit: (why: ReuseBlocker) => void): ReuseBlocker | undefined {
    // First the bell for the next byte, then the look: what comes after the look is notified.
    this.#receiver.watch()
    const why = this.#reuseBlocker
    if (why !== undefined) return why
    this.#onUnfit = onUnfit
    this.unref()
    return undefined
  }

  /** It is about to have a user again. Returns why it cannot be used. */
  checkout(): ReuseBlocker | undefined {
    this.#onUnfit = undefined
    const why = this.#reuseBlocker
    if (why === undefined) this.ref()
    return why
  }

  /** The shard has changed the lane. */
  onNotify(): boolean {
    if (this.#state.kind === 'closed') return false
    // LIFE before anything else: what was published before CLOSED is then seen by all that follows.
    const over = this.#load(lane.LIFE) === life.CLOSED
    this.#sender.onNotify()
    const more = this.#receiver.onNotify()
    const out = this.#load(lane.OUT_STATE)
    if (out === outState.ENDED) this.#sender.onEnded()
    else if (out === outState.FAILED) this.#sender.close(peerStoppedReading(this.#identity.endpoint))
    if (over) {
      this.#finish(this.#howItEnded())
      return false
    }
    if (this.#onUnfit !== undefined) this.#tellIfUnfit()
    if (this.#tracked !== undefined && this.#state === OPEN) this.#endWithPeer(out)
    return more
  }

  /** The shard is dead, and touches the lane no more. What the rings hold is still delivered. */
  onShardLost(error: TransportError): void {
    if (this.#state.kind !== 'closed') this.#finish(this.#state.kind === 'destroying' ? this.#state.error : error)
  }

  #finish(reason: TransportError | undefined): void {
    this.#step({ kind: 'finish' })
    this.#sender.close(reason)
    // Before the regions go: the bytes of frames that have not left are in them.
    const report = this.#sender.settle()
    if (report !== undefined) this.#tracked?.delivery.resolve(report)
    this.#sender.release()
    // The stream that was heard to its end has come whole, whatever became of what was sent.
    const heardAll = this.#load(lane.IN_STATE) === inState.ENDED
    const fault = this.#receiver.detach(heardAll ? undefined : reason)
    const done = this.#receiver.settle()
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
      const cause = processFailure(exit, process, error, this.#identity.endpoint)
      this.#concluded = true
      // With allowHalfOpen a clean end has been told already, or will be.
      if (heard !== undefined || !this.#options.allowHalfOpen || this.#receiver.stream.isInconclusive)
        this.#receiver.conclude(cause === error ? heard : cause)
      this.#tellClosed(cause === undefined ? { code: 'OK', ...exit } : { code: cause.code, cause, ...exit })
    })
  }

  get #framesMoved(): number {
    return this.#sender.framesSent + this.#receiver.framesReceived
  }

  /** Whether this is what a user of the connection is told once it ends, and so no failure of its own. */
  #isOfTheEnd(cause: unknown): boolean {
    if (!(cause instanceof TransportError)) return false
    const isOver = this.#state !== OPEN || !this.#receiver.stream.isOpen || this.#sender.isOver
    return isOver && (cause.code === 'ERR_CLOSED' || cause === this.#receiver.stream.failure)
  }

  #fail(where: HandlerPlace, what: string, cause: unknown, isLate: boolean): TransportError {
    const done = isLate ? ' after its connection had closed' : ', so its connection was destroyed'
    const error = handlerError(`${what} failed${done}. See the cause.`, cause, this.#identity.endpoint)
    const isToBeTold = !this.#isOfTheEnd(cause)
    this.destroy(error)
    if (isToBeTold) this.#report(where, error)
    return error
  }

  #report(where: HandlerPlace, error: TransportError): void {
    this.#options.failures.report(error, {
      where,
      endpoint: this.#identity.endpoint,
      connection: this.#id,
    })
  }

  /** By what the shard has published until now, which may be ahead of the notifications that were handled. */
  get #reuseBlocker(): ReuseBlocker | undefined {
    const isOpen =
      this.#state === OPEN &&
      this.#sender.isOpen &&
      this.#load(lane.LIFE) !== life.CLOSED &&
      this.#load(lane.IN_STATE) !== inState.ENDED &&
      this.#load(lane.OUT_STATE) === outState.OPEN
    if (!isOpen) return 'ended'
    return this.#sender.hasUnsent ? 'unsent' : this.#receiver.reuseBlocker
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
    if (events.connectionClosed.hasSubscribers) events.connectionClosed.publish({ ...this.#event, code, cause })
    trace('connection %s: closed, %s', this.#id, code)
    this.#ended.resolve(info)
  }

  #startDeadline(): () => void {
    const { clock, closeTimeoutMs } = this.#options
    return clock.setTimer(() => {
      this.#giveUp('the peer to take what was sent and to end')
    }, closeTimeoutMs)
  }

  /** `waitedFor`: what has not happened within `closeTimeoutMs`. */
  #giveUp(waitedFor: string): void {
    const error = closeTimeout(this.#options.closeTimeoutMs, waitedFor, this.#identity.endpoint)
    if (this.#tracked === undefined) this.destroy(error)
    else this.cut(error)
  }

  /** What the peer said stays readable, so there is nothing to wait for. */
  #endWithPeer(out: number): void {
    const hasEnded = this.#load(lane.IN_STATE) === inState.ENDED
    if (hasEnded || out === outState.FAILED) void this.close()
  }

  get #trackedOnly(): Tracked {
    if (this.#tracked === undefined) throw new Error('this connection was made without tracking')
    return this.#tracked
  }

  /** The process is gone: its last words come, then the end; unless another process holds its end of the pipe. */
  #drain(): void {
    const cancel = awaitLastWords({
      clock: this.#options.clock,
      quietMs: this.#options.closeTimeoutMs,
      position: () => this.#load(lane.IN_TAIL),
      isFull: () => this.#load(lane.IN_SPACE) !== 0,
      turned: () => this.#host.turned(),
      onFull: () => {
        if (this.#state.kind === 'draining' && this.#state.isCloseAsked) {
          this.#giveUp('somebody to read what the child process said')
        }
      },
      onSilent: () => {
        this.#step({ kind: 'cut' })
        // The shard must not be told anything else after this, were there room for what is queued.
        this.#sender.close(undefined)
        this.#cutLane()
      },
    })
    this.#step({ kind: 'drain', cancel })
    this.#sender.endAll()
  }

  #cutLane(): void {
    Atomics.store(this.#words, this.#base + lane.OUT_INTENT, intent.DESTROY)
    this.#host.notify(this.#lane.id)
  }

  get #event(): ConnectionEvent {
    const { kind, endpoint, role } = this.#identity
    return { id: this.#id, kind, endpoint, role, shard: this.#host.shard }
  }

  /** Undefined after a clean end. */
  #howItEnded(): TransportError | undefined {
    if (this.#state.kind === 'destroying') return this.#state.error
    if (this.#state.kind === 'cutting') return undefined
    const { endpoint } = this.#identity
    const failure = this.#load(lane.FAILURE)
    if (failure !== 0) return laneFailure(failure, this.#load(lane.FAILURE_CALL), this.#options.framing, endpoint)
    const isClean = this.#load(lane.IN_STATE) === inState.ENDED || !this.#sender.isOpen
    return isClean ? undefined : peerCut(undefined, endpoint)
  }

  #step(step: ConnectionStep): boolean {
    const state = this.#state
    const next = transition(state, step)
    if (next === undefined) return false
    this.#state = next
    leave(state, next)
    return true
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  #reference(on: boolean): this {
    if (this.#referenced !== on && this.#state.kind !== 'closed') {
      this.#referenced = on
      this.#host.keepAlive(on)
    }
    return this
  }
}
