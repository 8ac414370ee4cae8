/** The sending half of a connection: frames into the out ring, a queue for what does not fit, and room to wait for. */
import { events, type BackpressureEvent } from '../common/diagnostics.js'
import type { TransportError } from '../protocol/errors.js'
import { assertBatch, batchBackpressure, batchOf, isPickyFraming, type Batch } from '../common/batch.js'
import {
  assertFrameable,
  assertLength,
  backpressure,
  encodeText,
  isBytes,
  lengthOf,
  present,
  type Frame,
} from '../common/frame.js'
import { memoryFailure } from '../protocol/allocation.js'
import type { RingProducer } from '../protocol/ring.js'
import { FRAME_HEADER_BYTES } from '../protocol/ring-layout.js'
import { WaiterSet, type WaitOptions } from '../protocol/waiter.js'
import { sendRefused } from './connection-errors.js'
import type { DeliveryTracker } from './delivery-tracker.js'
import { frameStage } from './frame-stage.js'
import type { FrameWriter } from './frame-writer.js'
import type { Lane } from './connection-lane.js'
import { inlineWriterFor, type InlineWriter } from './inline-writer.js'
import type { Flushable, NotifyHandler } from './lane-host.js'
import { OutRing } from './out-ring.js'
import { OPEN, transition, type OutgoingStep } from './outgoing-stream.js'

/**
 * A turn that writes more than this publishes on the way, so that the shard starts before the turn ends. Smaller is
 * slower: each publication may wake the shard (64 B frames: 13.8 times naive `net` per frame, 19.5 per batch).
 */
const EAGER_PUBLISH_BYTES = 32_768

export class Sender implements Flushable, NotifyHandler {
  readonly out: OutRing
  framesSent = 0
  bytesSent = 0
  lastFlushAt = 0
  readonly #lane: Lane
  readonly #endpoint: string
  readonly #ring: RingProducer
  readonly #writer: FrameWriter
  readonly #tracker: DeliveryTracker | undefined
  readonly #maxFrameBytes: number
  /** Whether there are frames that the framing cannot carry. */
  readonly #isPicky: boolean
  readonly #roomWaiters: WaiterSet<void>
  readonly #endWaiters: WaiterSet<void>
  /** Undefined: only the shard writes, or main has not had anything to write. */
  #inline: InlineWriter | undefined
  #state = OPEN
  /** What the engine has counted. */
  #countedFrames = 0
  #countedBytes = 0
  /** A flush is due at the end of this turn. */
  #dirty = false
  /** Observers know that `send()` has returned false, and there has not been room since. */
  #pressed = false

  constructor(lane: Lane) {
    const { endpoint, settings } = lane
    this.#lane = lane
    this.#endpoint = endpoint
    this.#roomWaiters = new WaiterSet('waiting for room', endpoint, settings.clock)
    this.#endWaiters = new WaiterSet('ending', endpoint, settings.clock)
    this.#maxFrameBytes = settings.maxFrameBytes
    this.#isPicky = isPickyFraming(settings.framing.kind)
    this.out = new OutRing(lane, () => {
      if (this.isOver || this.#writer.overflowBytes === 0) return
      this.out.grow()
      this.#proceed()
    })
    this.#ring = this.out.ring
    this.#writer = this.out.writer
    this.#tracker = this.out.tracker
  }

  send(frame: Frame): boolean {
    if (this.#state !== OPEN) throw this.#refusal()
    // Not by `instanceof`, which proxies pass too: copying one would run code of its own on the way.
    if (isBytes(frame)) return this.#sendBytes(present(frame, this.#endpoint))
    const bytes = encodeText(frame, this.#endpoint)
    if (isBytes(bytes)) return this.#sendBytes(bytes)
    // Looking at the parts of a user may have run anything.
    if (this.#state !== OPEN) throw this.#refusal()
    this.#assertTakeable(bytes)
    return this.#sendSlowly(bytes, lengthOf(bytes))
  }

  sendBatch(frames: readonly Frame[]): boolean {
    if (this.#state !== OPEN) throw this.#refusal()
    assertBatch(frames, this.#endpoint)
    // What is not there in small pieces of bytes, or does not go in at once, is looked at again, one by one.
    const isStaged = !this.#isPicky && frameStage.fill(frames, this.#maxFrameBytes) && this.#state === OPEN
    try {
      if (!isStaged || !this.#sendStaged()) this.#sendBatch(frames)
    } catch (error) {
      throw memoryFailure(error, this.#endpoint) ?? error
    }
    return this.#writer.overflowBytes === 0 || this.#goesOn()
  }

  get isOpen(): boolean {
    return this.#state === OPEN
  }

  /** Whether nothing leaves any more. */
  get isOver(): boolean {
    return this.#state.kind === 'closed'
  }

  ready(options: WaitOptions): Promise<void> {
    if (this.#state !== OPEN) return Promise.reject(this.#refusal())
    if (options.signal?.aborted !== true && this.out.hasRoom) return Promise.resolve()
    const room = this.#roomWaiters.wait(options)
    if (this.#roomWaiters.size > 0) this.#awaitRoom()
    return room
  }

  /** No frame is taken from here on; resolves when all have left and the end of stream was sent. */
  end(options: WaitOptions = {}): Promise<void> {
    if (this.#state.kind === 'open') this.#end({ kind: 'end' })
    if (this.#state.kind !== 'ending') return Promise.resolve()
    return this.#endWaiters.wait(options)
  }

  /** The connection is to be closed: where there is no half-close, the end takes the incoming side with it. */
  endAll(): void {
    if (this.#state.kind !== 'closed') this.#end({ kind: 'end all' })
  }

  /** The shard has flushed everything and ended the stream. */
  onEnded(): void {
    this.#step({ kind: 'flushed' })
    this.#endWaiters.resolveAll()
  }

  /** The shard has moved HEAD, or a region that was asked for is there. False: no budget is needed for that. */
  onNotify(): boolean {
    if (this.#state.kind === 'closed') return false
    this.#inline?.reader.look()
    this.out.retireRegion()
    if (this.#writer.overflowBytes > 0 || this.#roomWaiters.size > 0) this.#proceed()
    if (this.#pressed) {
      if (this.out.hasRoom) this.#relieve()
      else this.#awaitRoom()
    }
    return false
  }

  /** Nobody uses the connection. */
  park(): void {
    this.#inline?.reader.park()
  }

  /** It is about to have a user again. */
  checkout(): void {
    this.#inline?.reader.checkout()
  }

  flush(isAlone: boolean): void {
    this.#dirty = false
    this.#count()
    if (this.#state.kind === 'closed') return
    this.#writer.settle()
    this.#lane.host.inline?.budget.onFlush()
    this.leave(isAlone)
    this.lastFlushAt = Date.now()
    this.#lane.host.doorbell.awaitReply(this.#lane.pendingReply)
  }

  /** I/O is over. `ready()` rejects; `end()` resolves, because there is nothing left to wait for. */
  close(error: TransportError | undefined): void {
    if (this.#state.kind === 'closed') return
    this.#count()
    this.#inline?.finish()
    this.#step({ kind: 'close', error })
    if (this.#tracker === undefined) this.#writer.discard()
    this.#refuseWaiters()
    this.#endWaiters.resolveAll()
    if (this.#pressed) this.#relieve()
  }

  /** What a turn has sent. True: main has written it itself, and no shard has to. */
  protected leave(isAlone: boolean): boolean {
    if (isAlone && this.#state === OPEN && this.#writeInline()) return true
    this.out.publish()
    return this.#lane.host.fetches !== undefined
  }

  #sendBytes(bytes: Uint8Array): boolean {
    this.#assertTakeable(bytes)
    if (bytes.length > this.#maxFrameBytes || !this.#writer.tryWrite(bytes, this.#dirty))
      return this.#sendSlowly([bytes], bytes.length)
    this.#tracker?.took(bytes.length)
    this.#onTaken(1, bytes.length)
    return true
  }

  /** @throws {TransportError} ERR_INVALID_FRAME, ERR_OUT_OF_MEMORY */
  #assertTakeable(bytes: Uint8Array | readonly Uint8Array[]): void {
    if (this.#isPicky) assertFrameable(this.#lane.settings.framing, bytes, this.#endpoint)
    if (this.#tracker?.isFull !== true) return
    try {
      this.#tracker.makeRoom()
    } catch (error) {
      throw memoryFailure(error, this.#endpoint) ?? error
    }
  }

  #sendSlowly(parts: readonly Uint8Array[], length: number): boolean {
    assertLength(length, this.#maxFrameBytes, this.#endpoint)
    const size = length + FRAME_HEADER_BYTES
    this.#writer.settle()
    const overflow = this.#writer.overflowBytes
    if (overflow > 0 && overflow + size > this.#lane.settings.maxPendingBytes) {
      throw backpressure(overflow, this.#lane.settings.maxPendingBytes, this.#endpoint)
    }
    if (this.#ring.refreshFree() < size) this.out.grow(size)
    try {
      this.#writer.writeOrQueue(parts, length)
    } catch (error) {
      throw memoryFailure(error, this.#endpoint) ?? error
    }
    this.#tracker?.took(length)
    this.#onTaken(1, length)
    return this.#goesOn()
  }

  /** What is on the stage. False: nothing was taken, since it does not go in as it is. */
  #sendStaged(): boolean {
    const { frames, bytes } = frameStage
    this.#tracker?.makeRoom(frames)
    if (!this.#writer.tryWriteStaged()) return false
    if (this.#tracker !== undefined) {
      for (let at = 0; at < bytes; at += FRAME_HEADER_BYTES + frameStage.lengthAt(at))
        this.#tracker.took(frameStage.lengthAt(at))
    }
    this.#onTaken(frames, bytes - frames * FRAME_HEADER_BYTES)
    return true
  }

  #sendBatch(frames: readonly Frame[]): void {
    const { framing } = this.#lane.settings
    const rules = { endpoint: this.#endpoint, maxFrameBytes: this.#maxFrameBytes, framing }
    const batch = batchOf(frames, rules)
    // Looking at the frames of a user may have run anything.
    if (this.#state !== OPEN) throw this.#refusal()
    const { lengths, payloadBytes } = batch
    if (lengths.length === 0) return
    this.#tracker?.makeRoom(lengths.length)
    if (!this.#writer.tryWriteBatch(batch)) this.#sendBatchSlowly(batch)
    if (this.#tracker !== undefined) for (const length of lengths) this.#tracker.took(length)
    this.#onTaken(lengths.length, payloadBytes)
  }

  /** @throws {TransportError} ERR_BACKPRESSURE, ERR_OUT_OF_MEMORY */
  #sendBatchSlowly(batch: Batch): void {
    const { lengths, ringBytes, longest } = batch
    const { maxPendingBytes } = this.#lane.settings
    if (this.#ring.refreshFree() < ringBytes) this.out.grow(longest + FRAME_HEADER_BYTES)
    const overflow = this.#writer.overflowBytes
    const waiting = overflow === 0 ? ringBytes - this.#ring.refreshFree() : overflow + ringBytes
    // One frame alone is taken whenever none waits, as by `send()`.
    if (waiting > maxPendingBytes && (overflow > 0 || lengths.length > 1))
      throw batchBackpressure(waiting, maxPendingBytes, this.#endpoint)
    this.#writer.writeOrQueueBatch(batch)
  }

  /** Something was taken. False: not all of it is in the ring, and there is room to wait for. */
  #goesOn(): boolean {
    if (this.#writer.overflowBytes === 0) return true
    this.out.publish()
    this.#awaitRoom()
    this.#lane.settings.onFull?.()
    if (!this.#pressed && events.backpressureOn.hasSubscribers) this.#press()
    return false
  }

  #writeInline(): boolean {
    this.#inline ??= inlineWriterFor(this.#lane, this.out)
    return this.#inline?.write() === true
  }

  #onTaken(frames: number, payloadBytes: number): void {
    this.framesSent += frames
    this.bytesSent += payloadBytes
    if (!this.#dirty) {
      this.#dirty = true
      this.#lane.host.doorbell.flushSoon(this)
    } else if (this.#ring.unpublished >= EAGER_PUBLISH_BYTES) {
      this.out.publish(true)
    }
  }

  /** Once a turn: a count of each frame would cost more. */
  #count(): void {
    const { traffic } = this.#lane.settings
    if (traffic === undefined) return
    traffic.framesSent += this.framesSent - this.#countedFrames
    traffic.bytesSent += this.bytesSent - this.#countedBytes
    this.#countedFrames = this.framesSent
    this.#countedBytes = this.bytesSent
  }

  /** Moves on whatever waits: queued bytes into the ring, waiters for room, the end of the stream. */
  #proceed(): void {
    if (this.#writer.overflowBytes > 0) {
      const empty = this.#writer.refill()
      if (!empty) this.out.grow()
      this.out.publish()
      if (!empty) {
        this.#awaitRoom()
        return
      }
    }
    if (this.#state.kind === 'ending' || this.#state.kind === 'ended') {
      this.out.publish()
      // After the last TAIL: a shard that sees END knows that no byte follows.
      this.out.storeIntent(this.#state.intent)
      return
    }
    if (this.#roomWaiters.size === 0) return
    if (this.out.hasRoom) this.#roomWaiters.resolveAll()
    else this.#awaitRoom()
  }

  /** A notification follows when there is room. */
  #awaitRoom(): void {
    // From the top of the next turn: the caller may be in the middle of a send.
    if (this.out.awaitRoom()) this.#lane.host.doorbell.revisit(this)
  }

  #press(): void {
    this.#pressed = true
    events.backpressureOn.publish(this.#pressure())
  }

  #relieve(): void {
    this.#pressed = false
    events.backpressureOff.publish(this.#pressure())
  }

  #pressure(): BackpressureEvent {
    const { id, settings } = this.#lane
    return { engine: settings.engine, id, endpoint: this.#endpoint, pendingBytes: this.out.pendingBytes }
  }

  #end(step: OutgoingStep): void {
    this.#step(step)
    this.#refuseWaiters()
    this.#proceed()
  }

  #step(step: OutgoingStep): void {
    this.#state = transition(this.#state, step)
    // Peers are to see an end when the shard closes the socket, whatever main is doing then.
    if (this.#state !== OPEN) this.#inline?.close()
  }

  #refuseWaiters(): void {
    // Seldom anybody waits, and an error with its stack costs more than all the rest of an end.
    if (this.#roomWaiters.size > 0) this.#roomWaiters.rejectAll(this.#refusal())
  }

  #refusal(): TransportError {
    return sendRefused(this.#state.kind === 'closed' ? this.#state.error : undefined, this.#endpoint)
  }
}
