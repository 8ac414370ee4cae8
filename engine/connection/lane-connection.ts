/** A connection over one lane of one shard. */
import type {
  BatchHandler,
  Capabilities,
  ClosedInfo,
  Connection,
  ConnectionInfo,
  FrameHandler,
  SubscribeOptions,
} from '../common/connection.js'
import type { AttachedProcess } from '../common/attached-process.js'
import { AwaitedPromise } from '../common/awaited-promise.js'
import type { TransportError } from '../protocol/errors.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import { destroyReason } from '../common/destroy-reason.js'
import type { DeliveryReport } from '../common/delivery-report.js'
import type { Frame } from '../common/frame.js'
import { isThenable, type HandlerHost, type HandlerPlace } from '../common/handler-failures.js'
import type { LaneGrant } from '../protocol/lane.js'
import { checkHandler, checkSubscription, checkWaitOptions } from '../common/call-options.js'
import type { WaitOptions } from '../protocol/waiter.js'
import { ConnectionLifecycle } from './connection-lifecycle.js'
import type { ConnectionSettings } from './connection-settings.js'
import type { LaneHost, NotifyHandler } from './lane-host.js'
import { Lane, type ConnectionIdentity } from './connection-lane.js'
import type { Receiver } from './receiver.js'
import type { Sender } from './sender.js'

export type { ConnectionIdentity } from './connection-lane.js'

const HALF_CLOSE = { halfClose: true } as const
const NO_HALF_CLOSE = { halfClose: false } as const

export class LaneConnection implements Connection, HandlerHost, NotifyHandler {
  readonly capabilities: Capabilities
  readonly #establishedAt = Date.now()
  readonly #lane: Lane
  readonly #lifecycle: ConnectionLifecycle
  readonly #receiver: Receiver
  readonly #sender: Sender
  #closed: Promise<ClosedInfo> | undefined
  /** How many frames had been sent and received when a user last began to wait for `closed`. */
  #endAwaitedAt: number | undefined
  /** Called once when a parked connection cannot be used any more. */
  #onUnfit: ((why: ReuseBlocker) => void) | undefined

  /** Connections are made by `Transport.connect()` and listeners. */
  constructor(host: LaneHost, grant: LaneGrant, settings: ConnectionSettings, identity: ConnectionIdentity) {
    this.capabilities = identity.halfClose ? HALF_CLOSE : NO_HALF_CLOSE
    this.#lane = new Lane(host, grant, settings, identity)
    this.#lifecycle = new ConnectionLifecycle(this.#lane, {
      awaitsEnd: () => this.#endAwaitedAt === this.#framesMoved,
      onOver: () => this.#tellIfUnfit(),
    })
    this.#receiver = this.#lifecycle.receiver
    this.#sender = this.#lifecycle.sender
  }

  get closed(): Promise<ClosedInfo> {
    return (this.#closed ??= new AwaitedPromise(this.ended, () => {
      this.#endAwaitedAt = this.#framesMoved
      this.#receiver.handlers.update(false)
    }))
  }

  /** As `closed`, for those who are no user of the connection: a handler that waits for `closed` counts as done. */
  get ended(): Promise<ClosedInfo> {
    return this.#lifecycle.ended
  }

  get info(): ConnectionInfo {
    const { id, identity, endpoint, host } = this.#lane
    const { framesSent, bytesSent, lastFlushAt } = this.#sender
    const { frames: framesReceived, bytes: bytesReceived, lastAt: lastFrameAt } = this.#receiver.received
    const { process } = this.#lifecycle
    return {
      id,
      kind: identity.kind,
      endpoint,
      shard: host.shard,
      establishedAt: this.#establishedAt,
      framesSent,
      bytesSent,
      framesReceived,
      bytesReceived,
      lastActivityAt: Math.max(this.#establishedAt, lastFlushAt, lastFrameAt),
      ...(process && { pid: process.pid }),
      ...(identity.memory && { memory: identity.memory }),
    }
  }

  get pendingBytes(): number {
    return this.#lifecycle.isClosed ? 0 : this.#sender.out.pendingBytes
  }

  send(frame: Frame): boolean {
    return this.#sender.send(frame)
  }

  sendBatch(frames: readonly Frame[]): boolean {
    return this.#sender.sendBatch(frames)
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

  subscribeBatch(handler: BatchHandler): () => void {
    return this.#receiver.consumer.subscribeBatch(checkHandler(handler, 'subscribeBatch()'))
  }

  end(options: WaitOptions = {}): Promise<void> {
    const wrong = checkWaitOptions(options, 'end()')
    return wrong === undefined ? this.#sender.end(options) : Promise.reject(wrong)
  }

  close(): Promise<ClosedInfo> {
    return this.#lifecycle.close()
  }

  destroy(reason?: Error): void {
    this.#lifecycle.destroy(destroyReason(reason, this.#lane.endpoint))
  }

  ref(): this {
    this.#lifecycle.keepAlive(true)
    return this
  }

  unref(): this {
    this.#lifecycle.keepAlive(false)
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  cut(error: TransportError): void {
    this.#lifecycle.cut(error)
  }

  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    this.#lifecycle.handlerFailed(where, what, cause)
  }

  /** A listener has given it to its handler, which may be at work for a while. Returns what that settles with. */
  attend(result: unknown): Promise<unknown> | undefined {
    if (!isThenable(result)) return undefined
    const handler = Promise.resolve(result)
    this.#receiver.handlers.tend(handler)
    return handler
  }

  atWork(pending: Promise<unknown>): void {
    this.#receiver.consumer.atWork(pending)
  }

  /** Resolves once handlers are done with what has come until now; undefined: they are. Bounded by nothing. */
  settle(): Promise<void> | undefined {
    return this.#receiver.settle()
  }

  take(): Buffer | undefined {
    return this.#receiver.consumer.take()
  }

  /** Whether a reconnecting connection ends it, and no user. */
  get isTracked(): boolean {
    return this.#lifecycle.tracked !== undefined
  }

  /** What became of every frame that was sent; settles before `closed`. Only with `tracking`. */
  get delivery(): Promise<DeliveryReport> {
    return this.#tracked.delivery.promise
  }

  /** Resolves when no frame will come any more and all that came were taken. Only with `tracking`. */
  get exhausted(): Promise<void> {
    return this.#tracked.exhausted.promise
  }

  /** The process whose stdin and stdout this is; `closed` waits for its end. */
  attachProcess(process: AttachedProcess): void {
    this.#lifecycle.attachProcess(process)
  }

  /** It has no user from now on. `onUnfit` is called once if it ends, fails or gets bytes. Returns why it cannot be. */
  park(onUnfit: (why: ReuseBlocker) => void): ReuseBlocker | undefined {
    this.#sender.park()
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
    this.#sender.checkout()
    const why = this.#reuseBlocker
    if (why === undefined) this.ref()
    return why
  }

  onNotify(): boolean {
    const more = this.#lifecycle.onNotify()
    this.#tellIfUnfit()
    return more
  }

  /** The shard is dead, and touches the lane no more. What the rings hold is still delivered. */
  onShardLost(error: TransportError): void {
    this.#lifecycle.onShardLost(error)
  }

  get #framesMoved(): number {
    return this.#sender.framesSent + this.#receiver.received.frames
  }

  get #tracked(): NonNullable<ConnectionLifecycle['tracked']> {
    if (this.#lifecycle.tracked === undefined) throw new Error('this connection was made without tracking')
    return this.#lifecycle.tracked
  }

  get #reuseBlocker(): ReuseBlocker | undefined {
    this.#lane.host.fetches?.fetchTail()
    if (!this.#lifecycle.isOpen) return 'ended'
    return this.#sender.out.hasUnsent ? 'unsent' : this.#receiver.reuseBlocker
  }

  #tellIfUnfit(): void {
    const onUnfit = this.#onUnfit
    const why = onUnfit && this.#reuseBlocker
    if (onUnfit === undefined || why === undefined) return
    this.#onUnfit = undefined
    onUnfit(why)
  }
}
