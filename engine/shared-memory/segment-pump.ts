/**
 * What a shard is to an ordinary lane, the segment pump is to one over shared memory: it moves positions between the
 * lane's words, which this process alone has, and the words of the segment, which the peer has too. It runs on main,
 * and no byte of a frame passes through it: the rings themselves lie in the segment.
 *
 * The peer is not trusted to be correct. Whatever it has written is loaded once, checked against what was there before
 * and against the size of the ring, and only then stored into the lane, so nobody else has to doubt a position. What
 * cannot be ends the connection with ERR_FRAMING.
 *
 * Wake-ups follow the rule of all bells here (Dekker 1965): the consumer arms NOTIFY and then looks at TAIL again; the
 * producer stores TAIL and then looks at NOTIFY. At least one of them sees the other's store. SPACE and HEAD are the
 * same the other way round. test/engine/shared-memory/torture.test.ts runs both between two processes without any
 * fallback timer; its control leaves the second look out, and stops.
 */
import type { LaneFetches } from '../connection/lane-host.js'
import { framingFaults } from '../protocol/framing.js'
import { takeArmed } from '../protocol/lane.js'
import { distance } from '../protocol/ring.js'
import { failureCalls, inState, intent, lane, life, outState, sizeOfRegion } from '../protocol/ring-layout.js'
import { systemErrno } from '../protocol/system-errno.js'
import { streamState, word } from './segment-layout.js'

const BROKEN = -1 - framingFaults.indexOf('ERR_FRAMING')
const ECONNRESET = Math.abs(systemErrno('ECONNRESET'))
const EPIPE = Math.abs(systemErrno('EPIPE'))
const READ = failureCalls.indexOf('read')
const WRITE = failureCalls.indexOf('write')

/** Words of the segment, and where those of a direction begin. */
export interface SharedWords {
  readonly words: Int32Array
  readonly out: number
  readonly in: number
}

/** Words of the lane. */
export interface LaneWords {
  readonly words: Int32Array
  readonly base: number
}

export interface PumpHost {
  /** Makes the peer's event loop turn. */
  wakePeer(): void
  /** Nothing moves any more: the socket closes. */
  closeSocket(): void
  /** Has the lane's connection look at its lane in one of the next turns. */
  revisit(): void
  /** There is news: looks at it when what runs now is done. */
  lookSoon(): void
  /** The region behind a ring of the incoming direction. Undefined: there is no such ring. */
  incomingRegion(ring: number): number | undefined
  /** The number of the ring that a region of the outgoing direction is. */
  outgoingRing(region: number): number
}

type PumpState = 'open' | 'peer gone' | 'closed'

export class SegmentPump implements LaneFetches {
  readonly #shared: Int32Array
  readonly #out: number
  readonly #in: number
  readonly #words: Int32Array
  readonly #base: number
  readonly #host: PumpHost
  #state: PumpState = 'open'
  /** Main looks at the segment in each turn by itself, and need not be woken. */
  #isPolled = false
  /** As last stored for the peer to see. */
  #tail = 0
  #head = 0
  #outRegion: number
  /** The peer's, as last checked. */
  #peerTail = 0
  #peerHead = 0
  #peerRing: number
  #outRing: number

  constructor({ words, base }: LaneWords, shared: SharedWords, firstRing: number, host: PumpHost) {
    this.#shared = shared.words
    this.#out = shared.out
    this.#in = shared.in
    this.#words = words
    this.#base = base
    this.#host = host
    this.#outRing = firstRing
    this.#peerRing = firstRing
    this.#outRegion = this.#load(lane.OUT_REGION)
    this.#store(lane.LIFE, life.ATTACHED)
    // Main is to notify of whatever it publishes.
    this.#store(lane.OUT_NOTIFY, 1)
  }

  /** Whether the peer has published bytes or its end, and the lane does not know of it. */
  get hasNews(): boolean {
    if (this.#state === 'closed') return false
    const shared = this.#shared
    return (
      Atomics.load(shared, this.#in + word.TAIL) !== this.#peerTail ||
      (Atomics.load(shared, this.#in + word.STATE) === streamState.ENDED && this.#load(lane.IN_STATE) === inState.OPEN)
    )
  }

  /** Main has published bytes, or changed its intent. */
  onNotify(): void {
    if (this.#state === 'closed') return
    if (this.#load(lane.OUT_INTENT) === intent.DESTROY) {
      this.#close(0, 0)
      return
    }
    this.#store(lane.OUT_NOTIFY, 1)
    this.#pushBytes()
    this.#pushEnd()
    this.#pullHead()
  }

  /** Brings what the peer has published into the lane. */
  pull(): void {
    if (this.#state === 'closed') return
    // The state before the tail: a tail loaded after ENDED is the last one.
    const state = Atomics.load(this.#shared, this.#in + word.STATE)
    if (!this.#pullTail() || !this.#pullHead()) return
    if (state === streamState.ENDED && this.#load(lane.IN_STATE) === inState.OPEN) {
      this.#store(lane.IN_STATE, inState.ENDED)
      this.#closeIfOver()
    }
  }

  released(): void {
    if (this.#state !== 'closed') this.#pushRoom()
  }

  fetchHead(): void {
    if (this.#state !== 'closed') this.#pullHead()
  }

  /** The connection has read all that the lane has: has the peer notify of more, and looks again. */
  awaitBytes(): void {
    if (this.#state === 'closed') return
    if (!this.#isPolled) this.#arm()
    if (!this.#pullTail() || this.#isPolled) return
    if (distance(this.#peerTail, this.#load(lane.IN_NOTIFY_AT)) >= 0)
      Atomics.store(this.#shared, this.#in + word.NOTIFY, 0)
  }

  /** The connection waits for room: has the peer notify of it, and looks again. */
  awaitRoom(): void {
    if (this.#state === 'closed') return
    const shared = this.#shared
    Atomics.store(shared, this.#out + word.SPACE_AT, this.#load(lane.OUT_SPACE_AT))
    Atomics.store(shared, this.#out + word.SPACE, 1)
    this.#pullHead()
  }

  /** The connection has left a ring of the incoming direction: the peer may have its memory. */
  leaveRing(): void {
    // HEAD before the acknowledgement: the peer takes the ring back.
    this.#pushRoom()
    Atomics.store(this.#shared, this.#in + word.RING_ACK, this.#peerRing)
  }

  /** From here on main looks by itself. */
  startPolling(): void {
    this.#isPolled = true
    Atomics.store(this.#shared, this.#in + word.NOTIFY, 0)
  }

  /** Main is about to sleep. False: there is news, and it looks on by itself. */
  stopPolling(): boolean {
    this.#isPolled = false
    if (this.#state !== 'closed' && this.#load(lane.IN_NOTIFY) !== 0) this.#arm()
    if (!this.hasNews) return true
    this.startPolling()
    return false
  }

  /** The socket has ended: the peer has closed the connection, or is gone. */
  onSocketEnd(): void {
    if (this.#state !== 'open') return
    this.pull()
    // The pull may have found the end of both directions, or what cannot be.
    if (this.#load(lane.LIFE) === life.CLOSED) return
    if (this.#load(lane.IN_STATE) === inState.OPEN || this.#peerHead !== this.#tail) this.#close(ECONNRESET, READ)
    else this.#state = 'peer gone'
  }

  #pushBytes(): void {
    const tail = this.#load(lane.OUT_TAIL)
    if (tail === this.#tail) return
    if (this.#state === 'peer gone') {
      this.#store(lane.OUT_STATE, outState.FAILED)
      this.#close(EPIPE, WRITE)
      return
    }
    const shared = this.#shared
    const region = this.#load(lane.OUT_REGION)
    if (region !== this.#outRegion) {
      this.#outRegion = region
      this.#outRing = this.#host.outgoingRing(region)
      // In the order in which the peer relies on it: see ring-layout.ts.
      Atomics.store(shared, this.#out + word.SWITCH_AT, this.#load(lane.OUT_SWITCH_AT))
      Atomics.store(shared, this.#out + word.RING, this.#outRing)
    }
    this.#tail = tail
    this.#store(lane.OUT_SENT, tail)
    Atomics.store(shared, this.#out + word.TAIL, tail)
    const isAwaited = Atomics.load(shared, this.#out + word.NOTIFY) !== 0
    if (!isAwaited || distance(tail, Atomics.load(shared, this.#out + word.NOTIFY_AT)) < 0) return
    if (takeArmed(shared, this.#out + word.NOTIFY)) this.#wakeAndLook()
  }

  /**
   * Where peer and main share a CPU, the peer often runs before the system call returns, and has answered by then. So
   * main has itself notified again only afterwards: then neither a wake-up nor a sleep is needed for the answer.
   */
  #wakeAndLook(): void {
    const wasArmed = takeArmed(this.#shared, this.#in + word.NOTIFY)
    this.#host.wakePeer()
    if (!wasArmed) return
    Atomics.store(this.#shared, this.#in + word.NOTIFY, 1)
    if (!this.hasNews) return
    Atomics.store(this.#shared, this.#in + word.NOTIFY, 0)
    this.#host.lookSoon()
  }

  #pushRoom(): void {
    const head = this.#load(lane.IN_HEAD)
    if (head === this.#head) return
    const shared = this.#shared
    this.#head = head
    Atomics.store(shared, this.#in + word.HEAD, head)
    const isAwaited = Atomics.load(shared, this.#in + word.SPACE) !== 0
    if (!isAwaited || distance(head, Atomics.load(shared, this.#in + word.SPACE_AT)) < 0) return
    if (takeArmed(shared, this.#in + word.SPACE)) this.#host.wakePeer()
  }

  #pushEnd(): void {
    if (this.#state === 'closed') return
    if (this.#load(lane.OUT_INTENT) === intent.OPEN || this.#load(lane.OUT_STATE) !== outState.OPEN) return
    // Behind the last tail.
    Atomics.store(this.#shared, this.#out + word.STATE, streamState.ENDED)
    this.#store(lane.OUT_STATE, outState.ENDED)
    // Whatever the peer waits for: nobody else tells it of the end.
    this.#host.wakePeer()
    this.#closeIfOver()
    this.#host.revisit()
  }

  #arm(): void {
    Atomics.store(this.#shared, this.#in + word.NOTIFY_AT, this.#load(lane.IN_NOTIFY_AT))
    Atomics.store(this.#shared, this.#in + word.NOTIFY, 1)
  }

  /** False: the connection is over. */
  #pullTail(): boolean {
    const shared = this.#shared
    // TAIL before RING: a TAIL beyond a change must not be seen without the change.
    const tail = Atomics.load(shared, this.#in + word.TAIL)
    const ring = Atomics.load(shared, this.#in + word.RING)
    if (ring !== this.#peerRing && !this.#followRing(ring, tail)) return this.#break()
    if (tail === this.#peerTail) return true
    const capacity = sizeOfRegion(this.#load(lane.IN_REGION))
    const unread = distance(tail, this.#load(lane.IN_HEAD))
    if (distance(tail, this.#peerTail) < 0 || unread < 0 || unread > capacity) return this.#break()
    this.#peerTail = tail
    this.#store(lane.IN_TAIL, tail)
    return true
  }

  /** The peer goes on in a larger ring. False: not in one that can be. */
  #followRing(ring: number, tail: number): boolean {
    const before = this.#load(lane.IN_REGION)
    // It has to wait until we have left the ring before, and may not return to one.
    const isSettled = this.#load(lane.IN_REGION_ACK) === before
    const region = ring > this.#peerRing && isSettled ? this.#host.incomingRegion(ring) : undefined
    if (region === undefined) return false
    const switchAt = Atomics.load(this.#shared, this.#in + word.SWITCH_AT)
    const inOld = distance(switchAt, this.#load(lane.IN_HEAD))
    if (distance(switchAt, this.#peerTail) < 0 || inOld < 0 || inOld > sizeOfRegion(before)) return false
    // A tail that was loaded before the change belongs to the old ring, and fits into it all the more.
    if (distance(tail, switchAt) > sizeOfRegion(region)) return false
    this.#peerRing = ring
    this.#store(lane.IN_SWITCH_AT, switchAt)
    this.#store(lane.IN_REGION, region)
    return true
  }

  /** False: the connection is over. */
  #pullHead(): boolean {
    const shared = this.#shared
    const head = Atomics.load(shared, this.#out + word.HEAD)
    if (head !== this.#peerHead) {
      if (distance(head, this.#peerHead) < 0 || distance(this.#tail, head) < 0) return this.#break()
      this.#peerHead = head
      this.#store(lane.OUT_HEAD, head)
    }
    if (this.#load(lane.OUT_REGION_ACK) !== this.#outRegion) {
      // One that is not true costs nobody but the peer what lies in the ring before.
      const ack = Atomics.load(shared, this.#out + word.RING_ACK)
      if (ack === this.#outRing) this.#store(lane.OUT_REGION_ACK, this.#outRegion)
    }
    return true
  }

  #break(): false {
    this.#close(BROKEN, 0)
    return false
  }

  #closeIfOver(): void {
    if (this.#load(lane.IN_STATE) === inState.ENDED && this.#load(lane.OUT_STATE) === outState.ENDED) this.#close(0, 0)
  }

  /** `failure`, `call`: see FAILURE in ring-layout.ts. */
  #close(failure: number, call: number): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    if (failure !== 0) {
      this.#store(lane.FAILURE_CALL, call)
      this.#store(lane.FAILURE, failure)
    }
    this.#store(lane.LIFE, life.CLOSED)
    this.#host.closeSocket()
    this.#host.revisit()
  }

  #load(at: number): number {
    return Atomics.load(this.#words, this.#base + at)
  }

  #store(at: number, value: number): void {
    Atomics.store(this.#words, this.#base + at, value)
  }
}
