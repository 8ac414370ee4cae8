/** What the holder of a lease sees of a connection: all of it, as long as the lease is held. */
import type { ClosedInfo, Connection, ConnectionInfo, SubscribeOptions } from '../engine/common/connection.js'
import type { FrameHandler } from '../engine/common/connection.js'
import type { LaneConnection } from '../engine/connection/lane-connection.js'
import type { Frame } from '../engine/common/frame.js'
import type { HandlerPlace } from '../engine/common/handler-failures.js'
import type { Gate } from '../engine/pool/pool-settings.js'
import type { WaitOptions } from '../engine/protocol/waiter.js'

/**
 * A connection that was lent by a pool. It does what a `Connection` does until its lease ends; from then on every
 * method throws or rejects with ERR_LEASE_ENDED, so that nobody writes into the exchange of the next user. `close()`,
 * `end()` and `destroy()` end the connection itself: it will not be lent again.
 */
export class LeasedConnection implements Connection {
  readonly #connection: LaneConnection
  readonly #gate: Gate

  /** @internal Made by a pool. */
  constructor(connection: LaneConnection, gate: Gate) {
    this.#connection = connection
    this.#gate = gate
  }

  /** Settles exactly once, never rejects: how the connection ended, also after the lease. */
  get closed(): Promise<ClosedInfo> {
    return this.#connection.closed
  }

  get capabilities(): { readonly halfClose: boolean } {
    return this.#connection.capabilities
  }

  /** Counts of the connection, not of the lease. */
  get info(): ConnectionInfo {
    return this.#connection.info
  }

  get pendingBytes(): number {
    return this.#connection.pendingBytes
  }

  /** As `Connection.send()`. @throws {TransportError} ERR_LEASE_ENDED too. */
  send(frame: Frame): boolean {
    this.#gate.assertHeld()
    return this.#connection.send(frame)
  }

  /** As `Connection.ready()`. Rejects with ERR_LEASE_ENDED too. */
  async ready(options?: WaitOptions): Promise<void> {
    this.#gate.assertHeld()
    return this.#connection.ready(options)
  }

  /** As `Connection.receive()`. Rejects with ERR_LEASE_ENDED too. */
  async receive(options?: WaitOptions): Promise<Buffer | undefined> {
    this.#gate.assertHeld()
    return this.#connection.receive(options)
  }

  /** As `Connection`. Leave the loop before the lease ends. Rejects with ERR_LEASE_ENDED too. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    // At the first step, not before: a loop that has begun counts as a reader, one that has not would be forgotten.
    this.#gate.assertHeld()
    yield* this.#connection
  }

  /** As `Connection.subscribe()`. Stop it before the lease ends. @throws {TransportError} ERR_LEASE_ENDED too. */
  subscribe(handler: FrameHandler, options?: SubscribeOptions): () => void {
    this.#gate.assertHeld()
    const stop = this.#connection.subscribe(handler, options)
    let isStopped = false
    return () => {
      // Once: the next user of the connection may subscribe with the same function.
      if (!isStopped) stop()
      isStopped = true
    }
  }

  /** As `Connection.end()`. Rejects with ERR_LEASE_ENDED too. */
  async end(options?: WaitOptions): Promise<void> {
    this.#gate.assertHeld()
    return this.#connection.end(options)
  }

  /** As `Connection.close()`. Rejects with ERR_LEASE_ENDED. */
  async close(): Promise<ClosedInfo> {
    this.#gate.assertHeld()
    return this.#connection.close()
  }

  /** As `Connection.destroy()`. @throws {TransportError} ERR_LEASE_ENDED */
  destroy(reason?: Error): void {
    this.#gate.assertHeld()
    this.#connection.destroy(reason)
  }

  /** @throws {TransportError} ERR_LEASE_ENDED */
  ref(): this {
    this.#gate.assertHeld()
    this.#connection.ref()
    return this
  }

  /** Until the lease ends. @throws {TransportError} ERR_LEASE_ENDED */
  unref(): this {
    this.#gate.assertHeld()
    this.#connection.unref()
    return this
  }

  /** @internal */
  handlerFailed(where: HandlerPlace, what: string, cause: unknown): void {
    this.#connection.handlerFailed(where, what, cause)
  }

  /** @internal */
  atWork(pending: Promise<unknown>): void {
    this.#connection.atWork(pending)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
