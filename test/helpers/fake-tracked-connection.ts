/** Connections that a test makes, feeds and loses, and the dial that gives them out. */
import { TransportError, type TransportErrorCode } from '../../engine/protocol/errors.js'
import type { DeliveryReport } from '../../engine/common/delivery-report.js'
import { partsOf, type Frame } from '../../engine/common/frame.js'
import type { WaitOptions } from '../../engine/protocol/waiter.js'
import type { BatchHandler, ClosedInfo, ConnectionInfo, FrameHandler } from '../../engine/common/connection.js'
import type { TrackedConnection } from '../../engine/reconnect/reconnecting-settings.js'
import { batchOf } from './batches.js'
import { signal } from './turns.js'

/** Takes one frame of those that are there, or all. */
type Taker = (unread: Buffer[]) => unknown

export class FakeTracked implements TrackedConnection {
  /** Every frame that it took, in order. */
  readonly taken: Buffer[] = []
  /** How many of them the operating system has. */
  handedOver = 0
  /** How many it takes before it says false; more than `limit` it refuses. */
  room = Infinity
  limit = Infinity
  /** What was asked of it. */
  readonly asked: ('end' | 'close' | 'destroy' | 'cut')[] = []
  readonly #closed = signal<ClosedInfo>()
  readonly #delivery = signal<DeliveryReport>()
  readonly #exhausted = signal()
  readonly #ended = signal()
  #unread: Buffer[] = []
  #taker: Taker | undefined
  #held = false
  #over = false
  #readyWaiters: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []

  readonly closed = this.#closed.promise
  readonly delivery = this.#delivery.promise
  readonly exhausted = this.#exhausted.promise

  readonly capabilities = { halfClose: true }

  get info(): ConnectionInfo {
    const identity = { id: 'fake', kind: 'fake', endpoint: 'fake:peer', shard: 0, establishedAt: 1, lastActivityAt: 1 }
    return { ...identity, framesSent: this.taken.length, bytesSent: 0, framesReceived: 0, bytesReceived: 0 }
  }

  get pendingBytes(): number {
    return this.#over ? 0 : this.taken.slice(this.handedOver).reduce((sum, { length }) => sum + length + 4, 0)
  }

  get isOver(): boolean {
    return this.#over
  }

  get unread(): number {
    return this.#unread.length
  }

  send(frame: Frame): boolean {
    if (this.#over || this.asked.length > 0) throw new TransportError('ERR_CLOSED', 'over')
    const waiting = this.taken.length - this.handedOver
    if (waiting >= this.limit) throw new TransportError('ERR_BACKPRESSURE', 'full')
    this.taken.push(Buffer.concat(partsOf(frame, 'fake')))
    return waiting + 1 < this.room
  }

  sendBatch(frames: readonly Frame[]): boolean {
    return frames.map((frame) => this.send(frame)).every((goesOn) => goesOn)
  }

  ready(): Promise<void> {
    if (this.#over) return Promise.reject(new TransportError('ERR_CLOSED', 'over'))
    if (this.taken.length - this.handedOver < this.room) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#readyWaiters.push({ resolve, reject })
    })
  }

  take(): Buffer | undefined {
    if (this.#taker !== undefined) throw new TransportError('ERR_CONSUMER_BUSY', 'busy')
    const frame = this.#unread.shift()
    this.#tellExhausted()
    return frame
  }

  subscribe(handler: FrameHandler): () => void {
    return this.#subscribe((unread) => handler(unread.shift() ?? Buffer.alloc(0)))
  }

  subscribeBatch(handler: BatchHandler): () => void {
    return this.#subscribe((unread) => {
      const batch = batchOf(unread.splice(0))
      const result = handler(batch)
      batch.end()
      return result
    })
  }

  end(): Promise<void> {
    this.asked.push('end')
    return this.#ended.promise
  }

  close(): Promise<ClosedInfo> {
    this.asked.push('close')
    return this.closed
  }

  destroy(reason?: Error): void {
    this.asked.push('destroy')
    this.#unread = []
    this.lose('ERR_ABORTED', 0, reason)
  }

  cut(error: Error): void {
    this.asked.push('cut')
    this.lose(error instanceof TransportError ? error.code : 'ERR_ABORTED', 0, error)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  receive(): Promise<never> {
    return Promise.reject(new Error('frames are taken, not received'))
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    throw new Error('frames are taken, not received')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  // What the test does with it.

  /** The operating system takes so many more. */
  handOver(count = Infinity): void {
    this.handedOver = Math.min(this.taken.length, this.handedOver + count)
    if (this.taken.length - this.handedOver >= this.room) return
    for (const { resolve } of this.#readyWaiters.splice(0)) resolve()
  }

  /** Frames of the peer. */
  deliver(...frames: readonly string[]): void {
    this.#unread.push(...frames.map((frame) => Buffer.from(frame)))
    this.#pump()
  }

  /** All that was taken leaves, and the end with it. */
  finishEnd(): void {
    this.handOver()
    this.#ended.resolve()
  }

  /** It is over; `unconfirmed`: how many of the frames that have not left are in a write's hands. */
  lose(code: 'OK' | TransportErrorCode, unconfirmed = 0, cause?: Error): void {
    if (this.#over) return
    this.#over = true
    const error = code === 'OK' ? undefined : (cause ?? new TransportError(code, 'lost'))
    for (const { reject } of this.#readyWaiters.splice(0)) reject(new TransportError('ERR_CLOSED', 'over'))
    const rest = this.taken.slice(this.handedOver)
    this.#ended.resolve()
    this.#delivery.resolve({
      handedOver: this.handedOver,
      retained: [],
      unconfirmed: rest.slice(0, unconfirmed),
      unsent: rest.slice(unconfirmed),
      lost: 0,
    })
    this.#closed.resolve({ code, cause: error })
    this.#tellExhausted()
  }

  #subscribe(taker: Taker): () => void {
    if (this.#taker !== undefined) throw new TransportError('ERR_CONSUMER_BUSY', 'busy')
    this.#taker = taker
    queueMicrotask(() => {
      this.#pump()
    })
    return () => {
      if (this.#taker === taker) this.#taker = undefined
    }
  }

  #pump(): void {
    while (this.#taker !== undefined && !this.#held && this.#unread.length > 0) {
      const result = this.#taker(this.#unread)
      if (!(result instanceof Promise)) continue
      this.#held = true
      void result.then(() => {
        this.#held = false
        this.#pump()
      })
    }
    this.#tellExhausted()
  }

  #tellExhausted(): void {
    if (this.#over && !this.#held && this.#unread.length === 0) this.#exhausted.resolve()
  }
}

interface Dial {
  readonly options: WaitOptions
  readonly resolve: (connection: FakeTracked) => void
  readonly reject: (error: Error) => void
}

/** Dials stay pending until the test answers them, or they are given up. */
export class FakeDialler {
  readonly connections: FakeTracked[] = []
  /** How long each dial was given. */
  readonly timeouts: (number | undefined)[] = []
  #pending: Dial[] = []

  readonly dial = (options: WaitOptions): Promise<FakeTracked> => {
    this.timeouts.push(options.timeoutMs)
    return new Promise((resolve, reject) => {
      const dial: Dial = { options, resolve, reject }
      this.#pending.push(dial)
      options.signal?.addEventListener('abort', () => {
        this.#pending = this.#pending.filter((other) => other !== dial)
        reject(new TransportError('ERR_ABORTED', 'aborted'))
      })
    })
  }

  get pending(): number {
    return this.#pending.length
  }

  accept(connection = new FakeTracked()): FakeTracked {
    this.connections.push(connection)
    this.#next().resolve(connection)
    return connection
  }

  refuse(code: TransportErrorCode = 'ERR_REFUSED'): void {
    this.#next().reject(new TransportError(code, 'refused'))
  }

  #next(): Dial {
    const dial = this.#pending.shift()
    if (dial === undefined) throw new Error('no dial is pending')
    return dial
  }
}
