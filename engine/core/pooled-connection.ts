/** What the holder of a lease has of a connection: all of it, as long as the lease is held. */
import type {
  BatchHandler,
  ClosedInfo,
  Connection,
  ConnectionInfo,
  FrameHandler,
  SubscribeOptions,
} from '../common/connection.js'
import type { Frame } from '../common/frame.js'
import type { HandlerPlace } from '../common/handler-failures.js'
import type { LaneConnection } from '../connection/lane-connection.js'
import type { Gate } from '../pool/pool-settings.js'
import type { WaitOptions } from '../protocol/waiter.js'

/**
 * A connection that was lent by a pool. It does what a `Connection` does until its lease ends; from then on every
 * method throws or rejects with ERR_LEASE_ENDED, so that its holder cannot write into the exchange of the next one.
 * Stop subscriptions and leave loops before the lease ends. `close()`, `end()` and `destroy()` end the connection
 * itself: it is not lent again.
 */
export interface LeasedConnection extends Connection {
  /** Settles exactly once, never rejects: how the connection ended, also after the lease. */
  readonly closed: Promise<ClosedInfo>
  /** Counts of the connection, not of the lease. */
  readonly info: ConnectionInfo
}

export class PooledConnection implements LeasedConnection {
  readonly #connection: LaneConnection
  readonly #gate: Gate

  constructor(connection: LaneConnection, gate: Gate) {
    this.#connection = connection
    this.#gate = gate
  }

  get closed(): Promise<ClosedInfo> {
    return this.#connection.closed
  }

  get capabilities(): Connection['capabilities'] {
    return this.#connection.capabilities
  }

  get info(): ConnectionInfo {
    return this.#connection.info
  }

  get pendingBytes(): number {
    return this.#connection.pendingBytes
  }

  send(frame: Frame): boolean {
    return this.#held.send(frame)
  }

  sendBatch(frames: readonly Frame[]): boolean {
    return this.#held.sendBatch(frames)
  }

  async ready(options?: WaitOptions): Promise<void> {
    return this.#held.ready(options)
  }

  async receive(options?: WaitOptions): Promise<Buffer | undefined> {
    return this.#held.receive(options)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    // Checked at the first step, not before: only a loop that has begun counts as a reader when the lease ends.
    yield* this.#held
  }

  subscribe(handler: FrameHandler, options?: SubscribeOptions): () => void {
    return this.#held.subscribe(handler, options)
  }

  subscribeBatch(handler: BatchHandler): () => void {
    return this.#held.subscribeBatch(handler)
  }

  async end(options?: WaitOptions): Promise<void> {
    return this.#held.end(options)
  }

  async close(): Promise<ClosedInfo> {
    return this.#held.close()
  }

  destroy(reason?: Error): void {
    this.#held.destroy(reason)
  }

  ref(): this {
    this.#held.ref()
    return this
  }

  unref(): this {
    this.#held.unref()
    return this
  }

  /** For adapters, as is `atWork()`. */
  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    this.#connection.handlerFailed(where, what, cause)
  }

  atWork(pending: Promise<unknown>): void {
    this.#connection.atWork(pending)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @throws {TransportError} ERR_LEASE_ENDED */
  get #held(): LaneConnection {
    this.#gate.assertHeld()
    return this.#connection
  }
}
