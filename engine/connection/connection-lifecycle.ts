/** How both halves of a connection, its lane, and the process behind it come to an end together. */
import type { AttachedProcess } from '../common/attached-process.js'
import type { ClosedInfo } from '../common/connection.js'
import { Deferred } from '../common/deferred.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import { events, type ConnectionEvent } from '../common/diagnostics.js'
import { handlerError, type HandlerPlace } from '../common/handler-failures.js'
import { trace } from '../common/trace.js'
import { TransportError } from '../protocol/errors.js'
import { inState, intent, lane, life, outState } from '../protocol/ring-layout.js'
import { closeTimeout, laneFailure, peerCut, peerStoppedReading } from './connection-errors.js'
import { leave, OPEN, transition, type ConnectionStep } from './connection-state.js'
import type { Lane } from './connection-lane.js'
import { awaitLastWords, processFailure } from './process-end.js'
import { Receiver, type ReceiverEvents } from './receiver.js'
import { Sender } from './sender.js'
import { TracedReceiver } from './traced-receiver.js'
import { TracedSender } from './traced-sender.js'

export interface LifecycleEvents {
  /** Whether the user of the connection waits for its end, as far as that shows. */
  readonly awaitsEnd: () => boolean
  /** I/O is over; `ended` and observers follow. */
  readonly onOver: () => void
}

const nothing = (): void => undefined

export class ConnectionLifecycle {
  readonly sender: Sender
  readonly receiver: Receiver
  /** What a connection with `tracking` tells besides `closed`. */
  readonly tracked: { readonly delivery: Deferred<DeliveryReport>; readonly exhausted: Deferred<void> } | undefined
  process: AttachedProcess | undefined
  readonly #lane: Lane
  readonly #events: LifecycleEvents
  readonly #ended = new Deferred<ClosedInfo>()
  #state = OPEN
  #referenced = true
  /** It is known how the process behind it has ended. */
  #concluded = false

  constructor(lane: Lane, lifecycleEvents: LifecycleEvents) {
    const { allowHalfOpen, tracking } = lane.settings
    this.#lane = lane
    this.#events = lifecycleEvents
    this.tracked = tracking && { delivery: new Deferred(), exhausted: new Deferred() }
    const receiverEvents: ReceiverEvents = {
      onEnd: () => {
        if (allowHalfOpen) return
        this.sender.endAll()
        // A process that has ended its stdout may not read its stdin either, so its exit must not wait for that.
        this.process?.endSoon()
      },
      // With allowHalfOpen the reader may have something left to say to a process that has ended its stdout.
      awaitsConclusion: (isClean) => this.process !== undefined && !this.#concluded && !(isClean && allowHalfOpen),
      onExhausted: () => this.tracked?.exhausted.resolve(),
      onFailure: (error) => {
        // The stream ends as its process does, so what was received stays readable.
        if (this.receiver.stream.isInconclusive) this.cut(error)
        else this.destroy(error)
      },
      awaitsEnd: lifecycleEvents.awaitsEnd,
      isOfTheEnd: (cause) => this.#state !== OPEN && this.#isOfTheEnd(cause),
      onHandlerFailed: (cause, isLate) => this.#fail('subscriber', 'a subscriber', cause, isLate),
      onStrayFailure: (cause) => {
        if (this.#isOfTheEnd(cause)) return
        const message =
          'a subscriber failed after it had ended its subscription; its connection goes on. See the cause.'
        this.#report('subscriber', handlerError(message, cause, lane.endpoint))
      },
    }
    const { hops } = lane
    this.sender = hops === undefined ? new Sender(lane) : new TracedSender(lane, hops)
    this.receiver =
      hops === undefined ? new Receiver(lane, receiverEvents) : new TracedReceiver(lane, receiverEvents, hops)
    lane.host.keepAlive(true)
    if (events.connectionOpened.hasSubscribers) events.connectionOpened.publish(this.#event)
    trace('connection %s: %s %s on shard %d', lane.id, lane.identity.role, lane.endpoint, lane.host.shard)
  }

  get ended(): Promise<ClosedInfo> {
    return this.#ended.promise
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed'
  }

  /** Whether neither side has ended or is about to, by what the shard has published until now. */
  get isOpen(): boolean {
    return (
      this.#state === OPEN &&
      this.sender.isOpen &&
      this.#lane.load(lane.LIFE) !== life.CLOSED &&
      this.#lane.load(lane.IN_READ_FAILURE) === 0 &&
      !this.#hasPeerEnded &&
      this.#lane.load(lane.OUT_STATE) === outState.OPEN
    )
  }

  close(): Promise<ClosedInfo> {
    if (this.#state === OPEN) {
      // A child process has deadlines of its own, after which it is gone for certain.
      this.process?.endSoon()
      this.#step({ kind: 'close', cancel: this.process === undefined ? this.#startDeadline() : nothing })
      this.sender.endAll()
    } else {
      this.#step({ kind: 'close', cancel: nothing })
    }
    return this.ended
  }

  destroy(error: TransportError): void {
    if (this.cut(error)) {
      this.receiver.abandon(error)
    } else if (this.receiver.stream.isInconclusive) {
      // I/O is over, and the process behind it is not.
      this.receiver.abandon(error)
      this.process?.endNow()
    }
  }

  /** Ends at once, as `destroy()` does, but what was received stays readable. False: it was ending at once already. */
  cut(error: TransportError): boolean {
    if (!this.#step({ kind: 'destroy', error })) return false
    this.process?.endNow()
    this.sender.close(error)
    this.#cutLane()
    return true
  }

  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    if (this.#state === OPEN || !this.#isOfTheEnd(cause)) this.#fail(where, what, cause, this.isClosed)
  }

  attachProcess(process: AttachedProcess): void {
    this.process = process
    if (this.#state !== OPEN) process.endNow()
    void process.exited.then(() => {
      if (this.#state.kind === 'open' || this.#state.kind === 'closing') this.#drain()
    })
  }

  keepAlive(on: boolean): void {
    if (this.#referenced === on || this.isClosed) return
    this.#referenced = on
    this.#lane.host.keepAlive(on)
  }

  onNotify(): boolean {
    if (this.#state.kind === 'closed') return false
    // LIFE before anything else: what was published before CLOSED is then seen by all that follows.
    const over = this.#lane.load(lane.LIFE) === life.CLOSED
    this.sender.onNotify()
    const more = this.receiver.onNotify()
    const out = this.#lane.load(lane.OUT_STATE)
    if (out === outState.ENDED) this.sender.onEnded()
    else if (out === outState.FAILED) this.sender.close(peerStoppedReading(this.#lane.endpoint))
    if (over) {
      this.#finish(this.#howItEnded())
      return false
    }
    // What the peer said stays readable, so a tracked connection has nothing to wait for once its peer has ended.
    const endsWithPeer = this.tracked !== undefined && this.#state === OPEN
    if (endsWithPeer && (this.#hasPeerEnded || out === outState.FAILED)) void this.close()
    return more
  }

  onShardLost(error: TransportError): void {
    if (!this.isClosed) this.#finish(this.#state.kind === 'destroying' ? this.#state.error : error)
  }

  #finish(reason: TransportError | undefined): void {
    this.#step({ kind: 'finish' })
    this.sender.close(reason)
    // Before the regions go: the bytes of frames that have not left are in them.
    const report = this.sender.out.settle()
    if (report !== undefined) this.tracked?.delivery.resolve(report)
    this.sender.out.release()
    // A stream that was heard to its end has come whole, whatever became of what was sent.
    const heardAll = this.#hasPeerEnded
    const fault = this.receiver.detach(heardAll ? undefined : reason)
    const done = this.receiver.settle()
    if (done !== undefined) this.#lane.settings.onOutlived(done)
    const error = reason ?? fault
    this.#lane.host.releaseLane(this.#lane.grant)
    if (this.#referenced) this.#lane.host.keepAlive(false)
    this.#events.onOver()
    if (this.process === undefined) this.#tellClosed(error)
    else this.#awaitExit(this.process, error, heardAll ? fault : error)
  }

  /** `heard`: why the stream did not end cleanly. */
  #awaitExit(process: AttachedProcess, error: TransportError | undefined, heard: TransportError | undefined): void {
    if (error === undefined) process.endSoon()
    else process.endNow()
    void process.exited.then((exit) => {
      const cause = processFailure(exit, process, error, this.#lane.endpoint)
      this.#concluded = true
      // With allowHalfOpen a clean end has been told already, or will be.
      if (heard !== undefined || !this.#lane.settings.allowHalfOpen || this.receiver.stream.isInconclusive)
        this.receiver.conclude(cause === error ? heard : cause)
      this.#tellClosed(cause, exit)
    })
  }

  get #hasPeerEnded(): boolean {
    return this.#lane.load(lane.IN_STATE) === inState.ENDED
  }

  /** Whether this is what the connection's methods fail with once it ends: no mistake of the function that threw it. */
  #isOfTheEnd(cause: unknown): boolean {
    if (!(cause instanceof TransportError)) return false
    const isOver = this.#state !== OPEN || !this.receiver.stream.isOpen || this.sender.isOver
    return isOver && (cause.code === 'ERR_CLOSED' || cause === this.receiver.stream.failure)
  }

  #fail(where: HandlerPlace, what: string, cause: unknown, isLate: boolean): TransportError {
    const done = isLate ? ' after its connection had closed' : ', so its connection was destroyed'
    const error = handlerError(`${what} failed${done}. See the cause.`, cause, this.#lane.endpoint)
    const isToBeTold = !this.#isOfTheEnd(cause)
    this.destroy(error)
    if (isToBeTold) this.#report(where, error)
    return error
  }

  #report(where: HandlerPlace, error: TransportError): void {
    const { settings, endpoint, id } = this.#lane
    settings.failures.report(error, { where, endpoint, connection: id })
  }

  #tellClosed(cause: TransportError | undefined, exit?: Pick<ClosedInfo, 'exitCode' | 'signal'>): void {
    const code = cause?.code ?? 'OK'
    if (events.connectionClosed.hasSubscribers) events.connectionClosed.publish({ ...this.#event, code, cause })
    trace('connection %s: closed, %s', this.#lane.id, code)
    this.#ended.resolve(cause === undefined ? { code, ...exit } : { code, cause, ...exit })
  }

  #startDeadline(): () => void {
    const { clock, closeTimeoutMs } = this.#lane.settings
    return clock.setTimer(() => this.#giveUp('the peer to take what was sent and to end'), closeTimeoutMs)
  }

  /** `waitedFor`: what has not happened within `closeTimeoutMs`. */
  #giveUp(waitedFor: string): void {
    const error = closeTimeout(this.#lane.settings.closeTimeoutMs, waitedFor, this.#lane.endpoint)
    if (this.tracked === undefined) this.destroy(error)
    else this.cut(error)
  }

  /** The process is gone: its last words come, then the end; unless another process holds its end of the pipe. */
  #drain(): void {
    const cancel = awaitLastWords(this.#lane, {
      onFull: () => {
        if (this.#state.kind === 'draining' && this.#state.isCloseAsked)
          this.#giveUp('somebody to read what the child process said')
      },
      onSilent: () => {
        this.#step({ kind: 'cut' })
        // The shard must not be told anything else after this, were there room for what is queued.
        this.sender.close(undefined)
        this.#cutLane()
      },
    })
    this.#step({ kind: 'drain', cancel })
    this.sender.endAll()
  }

  #cutLane(): void {
    // Where nobody reads ahead, what handlers have must count as read: the peer is not to see a reset because of it.
    if (this.#lane.host.fetches !== undefined && !this.receiver.release()) {
      queueMicrotask(() => {
        if (!this.isClosed) this.#cutLane()
      })
      return
    }
    this.#lane.store(lane.OUT_INTENT, intent.DESTROY)
    this.#lane.notify()
  }

  get #event(): ConnectionEvent {
    const { id, identity, host, settings } = this.#lane
    const { kind, endpoint, role } = identity
    return { engine: settings.engine, id, kind, endpoint, role, shard: host.shard }
  }

  /** Undefined after a clean end. */
  #howItEnded(): TransportError | undefined {
    if (this.#state.kind === 'destroying') return this.#state.error
    if (this.#state.kind === 'cutting') return undefined
    const { endpoint, identity, settings } = this.#lane
    const failure = this.#lane.load(lane.FAILURE)
    if (failure !== 0) return laneFailure(failure, this.#lane.load(lane.FAILURE_CALL), settings.framing, identity)
    return this.#hasPeerEnded || !this.sender.isOpen ? undefined : peerCut(undefined, endpoint)
  }

  #step(step: ConnectionStep): boolean {
    const state = this.#state
    const next = transition(state, step)
    if (next === undefined) return false
    this.#state = next
    leave(state, next)
    return true
  }
}
