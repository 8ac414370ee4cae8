/** The sending half of a reconnecting connection: into the connection of the moment, or else into a queue. */
import { assertBatch, batchBackpressure, batchOf, type Batch, type Encoded } from '../common/batch.js'
import { TransportError } from '../protocol/errors.js'
import {
  assertFrameable,
  assertLength,
  backpressure,
  encodeText,
  isBytes,
  lengthOf,
  type Frame,
} from '../common/frame.js'
import { outOfMemory } from '../protocol/allocation.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import { WaiterSet, type WaitOptions } from '../protocol/waiter.js'
import { FrameQueue } from './frame-queue.js'
import type { ReconnectingSettings, TrackedConnection } from './reconnecting-settings.js'

type OutboxSettings = Pick<
  ReconnectingSettings<never>,
  'endpoint' | 'framing' | 'maxFrameBytes' | 'maxPendingBytes' | 'clock'
>

type Way<C> =
  /** No connection takes frames. */
  | { readonly kind: 'none' }
  /** What has queued up goes first. */
  | { readonly kind: 'draining'; readonly connection: C }
  | { readonly kind: 'direct'; readonly connection: C }

const NO_WAY = { kind: 'none' } as const

export class Outbox<C extends TrackedConnection> {
  framesSent = 0
  bytesSent = 0
  readonly #settings: OutboxSettings
  readonly #queue = new FrameQueue()
  readonly #waiters: WaiterSet<void>
  readonly #onDrained: (connection: C) => void
  #way: Way<C> = NO_WAY
  /** Why no frame is taken any more. */
  #refusal: TransportError | undefined
  #asking = false

  /** `onDrained`: all that had queued up was given to this connection, so it can be ended. */
  constructor(settings: OutboxSettings, onDrained: (connection: C) => void) {
    this.#settings = settings
    this.#onDrained = onDrained
    this.#waiters = new WaiterSet('waiting for room', settings.endpoint, settings.clock)
  }

  get queuedBytes(): number {
    return this.#queue.bytes
  }

  /** Whether a connection takes frames, and has been given all that waited. */
  get isDrained(): boolean {
    return this.#way.kind === 'direct'
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  send(frame: Frame): boolean {
    this.#assertOpen()
    const bytes = encodeText(frame, this.#settings.endpoint)
    // Looking at the parts of a user may have run anything.
    this.#assertOpen()
    const length = isBytes(bytes) ? bytes.length : lengthOf(bytes)
    const sent = this.#sendDirectly((connection) => connection.send(bytes))
    if (sent === undefined) this.#enqueue(bytes, length)
    this.framesSent++
    this.bytesSent += length
    return sent ?? false
  }

  sendBatch(frames: readonly Frame[]): boolean {
    this.#assertOpen()
    assertBatch(frames, this.#settings.endpoint)
    const batch = batchOf(frames, this.#settings)
    // Looking at the frames of a user may have run anything.
    this.#assertOpen()
    const sent = this.#sendDirectly((connection) => connection.sendBatch(batch.frames))
    if (sent === undefined) this.#enqueueBatch(batch)
    this.framesSent += batch.frames.length
    this.bytesSent += batch.payloadBytes
    return sent ?? false
  }

  ready(options: WaitOptions): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal)
    const waiting = this.#waiters.wait(options)
    this.#askForRoom()
    return waiting
  }

  /** A connection takes frames from here on, first those that wait. */
  connect(connection: C): void {
    this.#way = { kind: 'draining', connection }
    void this.#drain(connection)
  }

  /** The connection is lost. `unsent` go out again, before everything that waits. */
  disconnect(unsent: readonly Buffer[]): void {
    this.#way = NO_WAY
    this.#queue.putFirst(unsent)
  }

  /** No more frames are taken; those that were taken still leave. */
  refuse(error: TransportError): void {
    this.#refusal ??= error
    this.#waiters.rejectAll(this.#refusal)
  }

  /** Nothing will leave any more. Returns what still waits, oldest first. */
  close(error: TransportError): Buffer[] {
    this.refuse(error)
    this.#way = NO_WAY
    return this.#queue.takeAll()
  }

  #assertOpen(): void {
    if (this.#refusal !== undefined) throw this.#refusal
  }

  /** Undefined: no connection takes frames; if one has just ended, `disconnect()` will follow. */
  #sendDirectly(send: (connection: C) => boolean): boolean | undefined {
    if (this.#way.kind !== 'direct') return undefined
    try {
      return send(this.#way.connection)
    } catch (error) {
      if (!(error instanceof TransportError && error.code === 'ERR_CLOSED')) throw error
      this.#way = NO_WAY
      return undefined
    }
  }

  /** Checked as a connection would check it: later there is no caller to refuse it to. */
  #enqueue(bytes: Encoded, length: number): void {
    const { endpoint, framing, maxFrameBytes, maxPendingBytes } = this.#settings
    assertFrameable(framing, bytes, endpoint)
    assertLength(length, maxFrameBytes, endpoint)
    const waiting = this.#queue.bytes
    if (waiting > 0 && waiting + length + FRAME_HEADER_BYTES > maxPendingBytes)
      throw backpressure(waiting, maxPendingBytes, endpoint)
    this.#queue.push(copied(bytes, length, endpoint))
  }

  /** All frames, or none. */
  #enqueueBatch({ frames, lengths, ringBytes }: Batch): void {
    const { endpoint, maxPendingBytes } = this.#settings
    const waiting = this.#queue.bytes + ringBytes
    if (waiting > maxPendingBytes && (this.#queue.bytes > 0 || lengths.length > 1))
      throw batchBackpressure(waiting, maxPendingBytes, endpoint)
    const copies = frames.map((frame, i) => copied(frame, lengths[i] ?? 0, endpoint))
    for (const copy of copies) this.#queue.push(copy)
  }

  async #drain(connection: C): Promise<void> {
    for (let frame = this.#queue.first; frame !== undefined; frame = this.#queue.first) {
      const sent = this.#sendWaiting(connection, frame)
      if (sent === 'refused') return
      if (sent !== 'full') this.#queue.shift()
      if (sent === true) continue
      try {
        await connection.ready()
      } catch {
        // It has ended: `disconnect()` will follow.
        return
      }
      if (this.#way.kind !== 'draining' || this.#way.connection !== connection) return
    }
    this.#way = { kind: 'direct', connection }
    this.#askForRoom()
    this.#onDrained(connection)
  }

  /** 'full': not taken, there is no room at all. 'refused': not taken, the connection has ended. */
  #sendWaiting(connection: C, frame: Buffer): boolean | 'full' | 'refused' {
    try {
      return connection.send(frame)
    } catch (error) {
      return error instanceof TransportError && error.code === 'ERR_BACKPRESSURE' ? 'full' : 'refused'
    }
  }

  #askForRoom(): void {
    if (this.#asking || this.#waiters.size === 0 || this.#way.kind !== 'direct') return
    const { connection } = this.#way
    this.#asking = true
    connection.ready().then(
      () => {
        this.#asking = false
        this.#waiters.resolveAll()
      },
      () => {
        // It has ended: the next one is asked.
        this.#asking = false
        if (this.#way.kind === 'direct' && this.#way.connection !== connection) this.#askForRoom()
      },
    )
  }
}

function copied(bytes: Encoded, length: number, endpoint: string): Buffer {
  try {
    return Buffer.concat(isBytes(bytes) ? [bytes] : bytes, length)
  } catch (cause) {
    throw outOfMemory(length, cause, endpoint)
  }
}
