/**
 * The shard's side of a lane: the kernel reads into the in ring and writes from the out ring, and this class moves the
 * positions. It knows no transport; a wire carries the bytes.
 */
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import { FramingFault, framingFaults } from '../../engine/protocol/framing.js'
import { takeArmed } from '../../engine/protocol/lane.js'
import { failureCalls, inState, intent, lane, life, outState } from '../../engine/protocol/ring-layout.js'
import { systemErrno } from '../../engine/protocol/system-errno.js'
import type { Role } from '../../engine/protocol/target.js'
import type { Meter } from '../meter.js'
import type { FrameOwner, Wire } from '../wire.js'
import type { HopStamps } from './hop-stamps.js'
import { ReadWindow } from './read-window.js'
import { BULK_BYTES, type LaneBell, type ShardLane } from './shard-lane.js'
import { WriteWindow } from './write-window.js'

const EIO = systemErrno('EIO')

/**
 * Tries and writes in a row. Main may publish as fast as the kernel takes it: then everything else in the thread, the
 * reads of this very connection too, has its turn in between.
 */
const MOST_IN_A_ROW = 16

type PumpState =
  | { readonly kind: 'detached' }
  | { readonly kind: 'attached'; readonly wire: Wire }
  /** All bytes have left, and the wire ends. */
  | { readonly kind: 'ending'; readonly wire: Wire }
  /** The wire was destroyed, or left. What has not left stays in the ring, where main finds it. */
  | { readonly kind: 'leaving'; readonly wire: Wire }
  | { readonly kind: 'closed' }

/** `yielding`: there may be more to write, in the next turn. */
type Outgoing = 'idle' | 'writing' | 'yielding'

export class Pump implements FrameOwner {
  readonly id: number
  readonly #halfClose: boolean
  readonly #words: Int32Array
  readonly #base: number
  readonly #reads: ReadWindow
  readonly #writes: WriteWindow
  readonly #bell: LaneBell
  readonly #meter: Meter
  readonly #stamps: HopStamps | undefined
  readonly #onGone: (id: number) => void
  #state: PumpState = { kind: 'detached' }
  /** It was accepted, and main has not been notified of its lane. */
  #isNew: boolean
  #outgoing: Outgoing = 'idle'
  /** Tries and writes since there was nothing to write, or others had their turn. */
  #inARow = 0

  /** `halfClose`: whether the wire can end one direction alone. `onGone` is the last call, once. */
  constructor(of: ShardLane, role: Role, halfClose: boolean, onGone: (id: number) => void) {
    this.id = of.id
    this.#halfClose = halfClose
    this.#isNew = role === 'accepted'
    this.#words = of.words
    this.#base = of.base
    this.#reads = new ReadWindow(of)
    this.#writes = new WriteWindow(of)
    this.#bell = of.bell
    this.#meter = of.meter
    this.#stamps = of.stamps
    this.#onGone = onGone
  }

  attach(wire: Wire): void {
    this.#state = { kind: 'attached', wire }
    this.#store(lane.LIFE, life.ATTACHED)
    wire.resume()
    this.onNotify()
  }

  /** The dial failed or was aborted: the lane was never used. */
  abandon(): void {
    this.#state = { kind: 'closed' }
    this.#onGone(this.id)
  }

  /** Main has published bytes, made room, granted a region, or changed its intent. */
  onNotify(): void {
    const state = this.#state
    if (state.kind === 'detached' || state.kind === 'closed') return
    if (this.#load(lane.OUT_INTENT) === intent.DESTROY) {
      this.destroy()
      return
    }
    if (this.#load(lane.IN_READ_FAILURE) !== 0) {
      this.destroy()
      return
    }
    if (this.#mayRead()) state.wire.resume()
    this.#writeNext()
  }

  readView(): Buffer {
    return this.#reads.view
  }

  onRead(length: number): boolean {
    this.#stamps?.read()
    // Once: main may take it back at any time, which it notifies of.
    const ask = this.#askedFor(length)
    const isAwaited = this.#reads.publish(length)
    this.#meter.countRead(length)
    if (ask !== 0) {
      this.#reads.lend(ask)
      // Also if nobody waits for what was read: until main knows, nobody reads.
      this.#bell.notify(this.id)
      return false
    }
    if (isAwaited) {
      // The first bytes of a connection share the wake-up for the connection itself, and for all others of the turn.
      if (this.#isNew) this.#bell.notifySoon(this.id)
      else this.#bell.notify(this.id, length >= BULK_BYTES)
      this.#isNew = false
    }
    return this.#reads.advance(length)
  }

  onHeldBack(isHeld: boolean): void {
    this.#store(lane.IN_HELD, isHeld ? 1 : 0)
    // The word first, then the look: main arms first, then looks at the word.
    if (isHeld && takeArmed(this.#words, this.#base + lane.IN_GUARD)) this.#bell.notify(this.id)
  }

  onEnd(): void {
    this.#store(lane.IN_STATE, inState.ENDED)
    this.#bell.notifySoon(this.id)
  }

  onWritten(): void {
    this.#outgoing = 'idle'
    this.#writes.onWritten()
    this.#writeNext()
  }

  onFinished(): void {
    if (this.#load(lane.OUT_STATE) !== outState.OPEN) return
    this.#store(lane.OUT_STATE, outState.ENDED)
    // If both directions are over, the close follows at once and notifies main too.
    if (this.#load(lane.IN_STATE) !== inState.ENDED) this.#bell.notifySoon(this.id)
  }

  onWriteFailed(): void {
    this.#store(lane.OUT_STATE, outState.FAILED)
    this.#bell.notify(this.id)
  }

  onClose(error: NodeJS.ErrnoException | FramingFault | undefined): void {
    this.#state = { kind: 'closed' }
    const readFailure = this.#load(lane.IN_READ_FAILURE)
    if (error instanceof FramingFault) {
      this.#store(lane.FAILURE, -1 - framingFaults.indexOf(error.code))
    } else if (readFailure !== 0) {
      // What it has broken since does not count.
      this.#store(lane.FAILURE_CALL, failureCalls.indexOf('read'))
      this.#store(lane.FAILURE, readFailure)
    } else if (error !== undefined) {
      const call = failureCalls.indexOf((error.syscall ?? 'unknown') as (typeof failureCalls)[number])
      this.#store(lane.FAILURE_CALL, Math.max(call, 0))
      this.#store(lane.FAILURE, Math.abs(error.errno ?? EIO))
    }
    // LIFE last: main gives the memory to another lane once it has seen this.
    this.#store(lane.LIFE, life.CLOSED)
    this.#bell.notifySoon(this.id)
    this.#onGone(this.id)
  }

  destroy(): void {
    const state = this.#state
    if (state.kind === 'detached' || state.kind === 'closed') return
    const { wire } = state
    this.#state = { kind: 'leaving', wire }
    wire.destroy()
  }

  /** The socket that this lane's bytes leave by as they are. */
  get writer(): SocketHandle | undefined {
    return this.#state.kind === 'attached' ? this.#state.wire.writer?.() : undefined
  }

  /** True, once: reading had stopped, or main had read, and it can go on. */
  #mayRead(): boolean {
    if (!this.#reads.isLent) return this.#reads.takeRoom()
    return this.#reads.isReturned && this.#reads.regain()
  }

  /** While main has no duplicate, or this side ends, main does not get the reading. */
  #askedFor(length: number): number {
    const ask = this.#reads.askedFor(length)
    if (ask === 0 || this.#state.kind !== 'attached') return 0
    return this.#state.wire.isDuplicated?.() === true ? ask : 0
  }

  #writeNext(): void {
    const state = this.#state
    if (this.#outgoing !== 'idle' || state.kind !== 'attached') return
    const { wire } = state
    while (this.#inARow++ < MOST_IN_A_ROW) {
      if (this.#writes.look() === 0) {
        this.#inARow = 0
        this.#endIfWished(wire, this.#writes.wish)
        return
      }
      if (this.#writes.tryWrite(wire)) continue
      this.#outgoing = 'writing'
      this.#writes.write(wire)
      return
    }
    this.#outgoing = 'yielding'
    setImmediate(() => {
      this.#outgoing = 'idle'
      this.#inARow = 0
      this.#writeNext()
    })
  }

  #endIfWished(wire: Wire, wish: number): void {
    if (wish === intent.CLOSE || (wish === intent.END && this.#halfClose)) {
      this.#state = { kind: 'ending', wire }
      wire.end()
    } else if (wish === intent.LEAVE) {
      this.#state = { kind: 'leaving', wire }
      if (wire.leave === undefined) wire.destroy()
      else wire.leave()
    } else if (wish === intent.END) {
      // Ending this side would end the other one too: main learns that everything has left, and no more.
      this.onFinished()
    }
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, this.#base + word, value)
  }
}
