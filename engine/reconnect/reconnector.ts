/** A reconnecting connection, as its user sees it: one after another for as long as the peer comes back. */
import { Deferred } from '../common/deferred.js'
import { events, type ReconnectingEvent } from '../common/diagnostics.js'
import { destroyReason } from '../common/destroy-reason.js'
import type {
  BatchHandler,
  Capabilities,
  ClosedInfo,
  ConnectionInfo,
  FrameHandler,
  SubscribeOptions,
} from '../common/connection.js'
import type { Frame } from '../common/frame.js'
import { attempt, type HandlerHost, type HandlerPlace } from '../common/handler-failures.js'
import { trace } from '../common/trace.js'
import { checkHandler, checkSubscription, checkWaitOptions, invalidOption } from '../common/call-options.js'
import { WaiterSet, type WaitOptions } from '../protocol/waiter.js'
import { ConnectionKeeper } from './connection-keeper.js'
import { Inbox } from './inbox.js'
import { publicState } from './lifecycle.js'
import { Outbox } from './outbox.js'
import type { ReconnectingConnection, ReconnectingState, ReconnectingStats } from './reconnecting-connection.js'
import type { LossReport, ReconnectingSettings, TrackedConnection } from './reconnecting-settings.js'

let made = 0

export class Reconnector<C extends TrackedConnection> implements ReconnectingConnection, HandlerHost {
  readonly #closed = new Deferred<ClosedInfo>()
  readonly closed = this.#closed.promise
  readonly capabilities: Capabilities
  readonly #settings: ReconnectingSettings<C>
  readonly #identity: ReconnectingEvent
  readonly #inbox: Inbox<C>
  readonly #outbox: Outbox<C>
  readonly #keeper: ConnectionKeeper<C>
  readonly #listeners = new Set<(state: ReconnectingState) => unknown>()
  readonly #connectWaiters: WaiterSet<void>
  readonly #endWaiters: WaiterSet<void>
  /** What listeners were called with last. */
  #told: ReconnectingState = 'connecting'
  #referenced = true

  /** Reconnecting connections are made by `Transport.reconnecting()`. */
  constructor(settings: ReconnectingSettings<C>) {
    const { engine, endpoint, clock } = settings
    this.#settings = settings
    this.#identity = { engine, endpoint, id: `${String(process.pid)}-reconnecting-${String(++made)}` }
    this.capabilities = { halfClose: settings.halfClose }
    this.#inbox = new Inbox(endpoint, clock, {
      onReport: (report) => this.#report(report),
      isOfTheEnd: (cause) => this.#keeper.isOfTheEnd(cause),
      onHandlerFailed: (where, cause) =>
        this.handlerFailed(where, where === 'subscriber' ? 'a subscriber' : 'heartbeat.isPong', cause),
      onStrayFailure: (cause) =>
        this.#keeper.reportFailure('subscriber', 'a subscriber failed after it had ended its subscription', cause),
    })
    this.#outbox = new Outbox(settings, (connection) => this.#keeper.onDrained(connection))
    this.#keeper = new ConnectionKeeper(this.#identity, settings, this.#inbox, this.#outbox, {
      onChange: () => this.#tell(),
      onConnected: () => this.#connectWaiters.resolveAll(),
      onLeft: () => this.#endWaiters.resolveAll(),
      onFinished: (ending, dropped) => this.#onFinished(ending, dropped),
    })
    this.#connectWaiters = new WaiterSet('connecting', endpoint, clock)
    this.#endWaiters = new WaiterSet('ending', endpoint, clock)
    settings.keepAlive(true)
    trace('reconnecting connection %s: to %s', this.#identity.id, endpoint)
    // Not at once: its user has a turn to add listeners.
    queueMicrotask(() => this.#keeper.start())
  }

  get state(): ReconnectingState {
    return publicState(this.#keeper.life)
  }

  get attempts(): number {
    return this.#keeper.connector.attempts.count
  }

  get info(): ConnectionInfo {
    const { establishedAt, lastActivityAt, connection } = this.#keeper
    const { framesSent, bytesSent } = this.#outbox
    const { framesReceived, bytesReceived } = this.#inbox
    const { shard = -1, pid, memory } = connection?.info ?? {}
    const { id, endpoint } = this.#identity
    return {
      id,
      endpoint,
      kind: this.#settings.kind,
      shard,
      establishedAt,
      framesSent,
      bytesSent,
      framesReceived,
      bytesReceived,
      lastActivityAt,
      ...(pid === undefined ? {} : { pid }),
      ...(memory && { memory }),
    }
  }

  get stats(): ReconnectingStats {
    const { id, endpoint } = this.#identity
    return { id, endpoint, state: this.state, attempts: this.attempts, losses: this.#keeper.losses }
  }

  get pendingBytes(): number {
    return this.#outbox.queuedBytes + (this.#keeper.connection?.pendingBytes ?? 0)
  }

  onStateChange(listener: (state: ReconnectingState) => unknown): () => void {
    if (typeof listener !== 'function') throw invalidOption('onStateChange()', 'listener', 'it must be a function')
    const own = (state: ReconnectingState): unknown => listener(state)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  connected(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'connected()')
    if (wrong !== undefined) return Promise.reject(wrong)
    const { life, connector } = this.#keeper
    if (life.kind === 'connected') return Promise.resolve()
    if (life.kind === 'closed' || life.kind === 'destroying')
      return Promise.reject(this.#keeper.refusal(connector.lastFailure))
    return this.#connectWaiters.wait(options)
  }

  send(frame: Frame): boolean {
    return this.#outbox.send(frame)
  }

  sendBatch(frames: readonly Frame[]): boolean {
    return this.#outbox.sendBatch(frames)
  }

  ready(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'ready()')
    return wrong === undefined ? this.#outbox.ready(options) : Promise.reject(wrong)
  }

  receive(options: WaitOptions = {}): Promise<Buffer | undefined> {
    const wrong = checkWaitOptions(options, 'receive()')
    return wrong === undefined ? this.#inbox.consumer.receive(options) : Promise.reject(wrong)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.#inbox.consumer.iterate()
  }

  subscribe(handler: FrameHandler, options: SubscribeOptions = {}): () => void {
    return this.#inbox.consumer.subscribe(handler, checkSubscription(handler, options))
  }

  subscribeBatch(handler: BatchHandler): () => void {
    return this.#inbox.consumer.subscribeBatch(checkHandler(handler, 'subscribeBatch()'))
  }

  end(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'end()')
    if (wrong !== undefined) return Promise.reject(wrong)
    this.#keeper.wind('end')
    const { life } = this.#keeper
    const hasEnded = life.kind === 'connected' ? life.outgoing === 'ended' : !('intent' in life)
    return hasEnded ? Promise.resolve() : this.#endWaiters.wait(options)
  }

  close(): Promise<ClosedInfo> {
    this.#keeper.wind('close')
    return this.closed
  }

  destroy(reason?: Error): void {
    this.#keeper.destroy(destroyReason(reason, this.#settings.endpoint))
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

  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    this.#keeper.handlerFailed(where, what, cause)
  }

  atWork(pending: Promise<unknown>): void {
    this.#inbox.consumer.atWork(pending)
  }

  /** Resolves once subscribers are done with what they have; undefined: they are. Bounded by nothing. */
  settle(): Promise<void> | undefined {
    return this.#inbox.consumer.worked()
  }

  #onFinished(ending: ClosedInfo, dropped: number): void {
    const { code, cause } = ending
    this.#connectWaiters.rejectAll(this.#keeper.refusal(cause))
    this.#endWaiters.resolveAll()
    this.#tell()
    if (this.#referenced) this.#settings.keepAlive(false)
    this.#settings.onClosed(ending)
    if (code === 'ERR_GAVE_UP' && cause !== undefined)
      events.reconnectingGaveUp.publish({ ...this.#identity, error: cause })
    events.reconnectingClosed.publish({ ...this.#identity, code, cause, dropped })
    trace('reconnecting connection %s: closed, %s', this.#identity.id, code)
    this.#closed.resolve(ending)
  }

  #report(report: LossReport): void {
    attempt(
      () => this.#settings.onLoss?.(report),
      (cause) => this.#keeper.reportFailure('onLoss', 'onLoss failed', cause),
    )
  }

  #tell(): void {
    const { state } = this
    if (state === this.#told) return
    this.#told = state
    for (const listener of [...this.#listeners]) {
      attempt(
        () => listener(state),
        (cause) => this.#keeper.reportFailure('onStateChange', 'a listener of onStateChange failed', cause),
      )
    }
  }

  #reference(on: boolean): this {
    if (on === this.#referenced) return this
    this.#referenced = on
    if (this.#keeper.life.kind !== 'closed') this.#settings.keepAlive(on)
    return this
  }
}
