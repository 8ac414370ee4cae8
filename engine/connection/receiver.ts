/** The receiving half of a connection: frames out of the in ring, for one consumer at a time. */
import { TransportError } from '../protocol/errors.js'
import type { FrameHandler } from '../common/connection.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import { FrameReader } from './frame-reader.js'
import { describeExcess, type Excess } from '../protocol/framing.js'
import { isThenable } from '../common/handler-failures.js'
import type { LaneGrant } from '../protocol/lane.js'
import { takeArmed } from '../protocol/lane.js'
import { isOutOfMemory } from '../protocol/allocation.js'
import { emptyRing, detachRing, type DetachedRing } from './detached-ring.js'
import { distance, RingConsumer } from '../protocol/ring.js'
import { grownRingBytes, inState, inWords, lane, life } from '../protocol/ring-layout.js'
import { systemClock } from '../protocol/clock.js'
import { abortError, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { LaneHost, NotifyHandler, PendingReply } from './lane-host.js'
import type { ConnectionSettings } from './connection-settings.js'

/** What the receiving half tells its connection. */
export interface ReceiverEvents {
  /** The peer's end of stream was reached and every frame before it was taken. */
  onEnd(): void
  /** Whether `conclude()` will say how the stream has ended, whose end is reached now. */
  awaitsConclusion(isClean: boolean): boolean
  /** No frame will come any more: the stream is over, and every frame of it was taken or dropped. */
  onExhausted(): void
  /** The peer broke the protocol: the connection must go. */
  onFailure(error: TransportError): void
  /** Whether a subscriber has failed because the connection is ending, and for nothing else. */
  isOfTheEnd(cause: unknown): boolean
  /**
   * A subscriber failed: the connection must go, unless `closed` has told something else. Returns what ends the stream.
   */
  onHandlerFailed(cause: unknown, isLate: boolean): TransportError
  /** So did one that had ended its subscription before. */
  onStrayFailure(cause: unknown): void
  /** Whether whoever uses the connection waits for its end, as far as that shows. */
  awaitsEnd(): boolean
}

type Consumer =
  | { readonly kind: 'none' }
  /** A `for await` is running; between its steps nobody waits. */
  | { readonly kind: 'iterating' }
  | { readonly kind: 'waiting'; readonly waiter: Waiter<Buffer | undefined>; readonly iterating: boolean }
  | { readonly kind: 'subscribed'; readonly handler: FrameHandler; readonly borrow: boolean }
  /** A subscriber's promise is pending. */
  | {
      readonly kind: 'held'
      readonly handler: FrameHandler
      readonly borrow: boolean
      readonly pending: Promise<unknown>
    }

type Stream =
  | { readonly kind: 'open' }
  /**
   * Every frame was taken; how it has ended is still to be told. `failure`: why that was no clean end, as far as it
   * shows here.
   */
  | { readonly kind: 'inconclusive'; readonly failure: TransportError | undefined }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: TransportError }

/** Somebody waits until what had come by then is done with. */
interface Settling {
  readonly upTo: number
  readonly resolve: () => void
}

const NOBODY: Consumer = { kind: 'none' }
const ITERATING: Consumer = { kind: 'iterating' }
const NO_SETTLINGS: readonly Settling[] = []

/** What one connection may take of a turn before the others and the host's own work get theirs. */
const TURN_BYTES = 262_144
const TURN_MS = 1
const FRAMES_PER_CLOCK_LOOK = 64

export class Receiver implements NotifyHandler {
  framesReceived = 0
  bytesReceived = 0
  lastFrameAt = 0
  readonly #host: LaneHost
  readonly #lane: LaneGrant
  readonly #options: ConnectionSettings
  readonly #endpoint: string
  readonly #watch: PendingReply
  readonly #events: ReceiverEvents
  readonly #words: Int32Array
  readonly #base: number
  readonly #reader: FrameReader
  #ring: RingConsumer
  #consumer: Consumer = NOBODY
  #stream: Stream = { kind: 'open' }
  /**
   * `ending`: the lane is being given back, and what was unread lives in memory of our own; `over`: `closed` is told.
   */
  #io: 'on' | 'ending' | 'over' = 'on'
  /** Main frames are dropped from here on: the connection was destroyed. */
  #dropped = false
  /** What ends the stream once the frames that came before it are taken. */
  #failAfterRest: TransportError | undefined
  /**
   * Handlers at work that no consumer stands for: the listener's, and subscribers that have ended their subscription.
   */
  #tending = 0
  #settlings = NO_SETTLINGS
  /** Work on frames that holds none back; undefined: there was none yet. */
  #works: Set<Promise<unknown>> | undefined
  #region: number
  /** A larger region is being made known to the shard, or has to wait until there is memory for it. */
  #growthAsked = false
  /** Prevents the deadline of the frame that is on its way. */
  #cancelDeadline: (() => void) | undefined
  #deadlineAt = 0
  /** What the frame on its way has left of frameTimeoutMs while nobody reads; undefined: all of it. */
  #timeLeft: number | undefined

  constructor(
    host: LaneHost,
    grant: LaneGrant,
    options: ConnectionSettings,
    endpoint: string,
    watch: PendingReply,
    events: ReceiverEvents,
  ) {
    this.#host = host
    this.#lane = grant
    this.#options = options
    this.#endpoint = endpoint
    this.#watch = watch
    this.#events = events
    this.#words = host.wordsOf(grant)
    this.#base = host.baseOf(grant)
    this.#ring = new RingConsumer(this.#words, this.#base, inWords, host.slabs)
    this.#reader = new FrameReader(this.#ring, options.maxFrameBytes)
    this.#region = this.#ring.regionId
  }

  receive(options: WaitOptions, iterating = false): Promise<Buffer | undefined> {
    if (this.#consumer.kind !== (iterating ? 'iterating' : 'none')) return Promise.reject(this.#busy())
    if (options.signal?.aborted === true) {
      return Promise.reject(abortError('receiving', this.#endpoint, options.signal.reason))
    }
    // Whoever asks for more is done with what it has.
    if (this.#settlings !== NO_SETTLINGS) this.#tellSettled((upTo) => this.#isPast(upTo))
    const found = this.#take()
    if (found !== undefined) return Promise.resolve(found)
    if (this.#stream.kind === 'ended') return Promise.resolve(undefined)
    if (this.#stream.kind === 'failed') return Promise.reject(this.#stream.error)
    const idle = this.#consumer
    const waiter = new Waiter<Buffer | undefined>('receiving', this.#endpoint, options, this.#options.clock, () => {
      this.#consumer = idle
      this.#pauseDeadline()
    })
    this.#consumer = { kind: 'waiting', waiter, iterating }
    this.#tellIfSettled(true)
    this.#watchFrame()
    return waiter.promise
  }

  /** Starts a `for await`. Leaving it does not close the connection; another consumer may follow. */
  async *iterate(): AsyncGenerator<Buffer, void, undefined> {
    if (this.#consumer.kind !== 'none') throw this.#busy()
    this.#consumer = ITERATING
    try {
      for (;;) {
        const frame = await this.receive({}, true)
        if (frame === undefined) return
        yield frame
      }
    } finally {
      if (this.#consumer === ITERATING) this.#consumer = NOBODY
    }
  }

  subscribe(handler: FrameHandler, borrow: boolean): () => void {
    if (this.#consumer.kind !== 'none') throw this.#busy()
    const consumer: Consumer = { kind: 'subscribed', handler, borrow }
    this.#consumer = consumer
    this.#again()
    return () => {
      const current = this.#consumer
      if ((current.kind === 'subscribed' || current.kind === 'held') && current.handler === handler) {
        this.#consumer = NOBODY
        this.#pauseDeadline()
        if (current.kind === 'held') this.tend(current.pending)
        this.#tellIfSettled(false)
      }
    }
  }

  /** A handler is at work until this settles. */
  tend(handler: Promise<unknown>): void {
    this.#tending++
    const done = (): void => {
      this.#tending--
      this.#tellIfSettled(false)
    }
    handler.then(done, done)
  }

  /** Somebody who was handed a frame works on it until this settles, and takes the next ones meanwhile. */
  atWork(pending: Promise<unknown>): void {
    const works = (this.#works ??= new Set())
    works.add(pending)
    const done = (): void => {
      works.delete(pending)
    }
    pending.then(done, done)
  }

  /**
   * Resolves once handlers are done with every frame that has come until now; undefined: they are. One that waits for
   * the peer is, and so is a frame that nobody is there for.
   */
  settle(): Promise<void> | undefined {
    const upTo = this.#detached ? (this.#ring.head + this.#ring.refresh()) | 0 : this.#load(lane.IN_TAIL)
    if (this.#isSettled(upTo, false)) return this.#worked()
    const handed = new Promise<void>((resolve) => {
      this.#settlings = [...this.#settlings, { upTo, resolve }]
      // No news may come of what is there already.
      this.#again()
    })
    return handed.then(() => this.#worked())
  }

  /** Of what is at work now: were later work to count, a peer that goes on sending would hold an end up. */
  #worked(): Promise<void> | undefined {
    const works = this.#works
    if (works === undefined || works.size === 0) return undefined
    return Promise.allSettled(works).then(() => undefined)
  }

  /** Nobody reads, and still the next byte is to be told, and the end. */
  watch(): void {
    if (this.#consumer.kind !== 'none' || this.#detached) return
    this.#look()
    // Stays armed until something comes; a reader is then told of nothing once.
    Atomics.store(this.#words, this.#base + lane.IN_GUARD, 1)
  }

  /** What is in the way of another reader, by what the shard has published until now. */
  get reuseBlocker(): ReuseBlocker | undefined {
    if (this.#stream.kind !== 'open') return 'ended'
    if (this.#consumer.kind !== 'none') return 'busy'
    // A part of a frame counts too, be it in the shard, in the ring, or read out of it already.
    const isUnread =
      this.#load(lane.IN_TAIL) !== this.#ring.head || this.#load(lane.IN_HELD) !== 0 || this.#reader.midFrame
    return isUnread ? 'unread' : undefined
  }

  /** The shard has news. True: the budget of this turn is spent and there is more. */
  onNotify(): boolean {
    if (!this.#detached) this.#grantGrowth()
    switch (this.#consumer.kind) {
      case 'none':
      case 'iterating':
        // Nobody is there to give frames to. The end still counts when nothing lies before it.
        this.#look()
        return false
      case 'waiting': {
        const { waiter, iterating } = this.#consumer
        const frame = this.#take()
        if (frame === undefined && !this.#isConcluded) {
          this.#tellIfSettled(true)
          return false
        }
        this.#consumer = iterating ? ITERATING : NOBODY
        if (frame !== undefined) waiter.resolve(frame)
        else this.#finish(waiter)
        return false
      }
      case 'subscribed': {
        const more = this.#drain(this.#consumer)
        this.#tellIfSettled(!more)
        return more
      }
      case 'held':
        return false
    }
  }

  /**
   * I/O is finished: what is unread moves into memory of our own, so that the lane can be given back. `error` ends
   * the stream after it; without one the stream ends as the peer ended it. Returns why that was no clean end, as far as
   * it shows by now: a frame that is cut off, or a subscriber that failed.
   */
  detach(error: TransportError | undefined): TransportError | undefined {
    if (this.#detached) return undefined
    this.#endDeadline()
    const unread = this.#dropped ? undefined : this.#keepUnread()
    this.#retireRegion()
    this.#io = 'ending'
    this.#ring = unread?.ring ?? emptyRing()
    // Nothing more will come: what is left is what they wait for.
    if (this.#settlings !== NO_SETTLINGS) {
      const upTo = unread?.bytes.length ?? 0
      this.#settlings = this.#settlings.map(({ resolve }) => ({ upTo, resolve }))
    }
    this.#reader.moveTo(this.#ring)
    this.#failAfterRest = error ?? (unread === undefined ? undefined : this.#faultIn(unread))
    if (this.onNotify()) this.#again()
    this.#io = 'over'
    switch (this.#stream.kind) {
      case 'failed':
        return this.#stream.error
      // It was read to its end before: nothing that is left shows how that was.
      case 'inconclusive':
        return this.#stream.failure
      case 'open':
      case 'ended':
        return this.#failAfterRest
    }
  }

  /** Somebody waits for the end: a handler that does has nothing more to do. */
  onEndAwaited(): void {
    this.#tellIfSettled(false)
  }

  /** What the stream failed with. */
  get failure(): TransportError | undefined {
    return this.#stream.kind === 'failed' ? this.#stream.error : undefined
  }

  /** Nothing will come any more, of what is not here already. */
  get isOver(): boolean {
    return this.#stream.kind !== 'open'
  }

  /** It is known how the connection has ended, and so the stream, unless that ended by itself before. */
  conclude(error: TransportError | undefined): void {
    if (this.#stream.kind === 'open') this.#failAfterRest = error
    if (this.#stream.kind !== 'inconclusive') return
    this.#stream = error === undefined ? { kind: 'ended' } : { kind: 'failed', error }
    this.onNotify()
  }

  get isInconclusive(): boolean {
    return this.#stream.kind === 'inconclusive'
  }

  /** Whoever waits can be told how the stream has ended. */
  get #isConcluded(): boolean {
    return this.#stream.kind === 'ended' || this.#stream.kind === 'failed'
  }

  get #detached(): boolean {
    return this.#io !== 'on'
  }

  /** Whoever is told how the connection ended may never read the rest of it. */
  #faultIn(unread: DetachedRing): TransportError | undefined {
    const end = this.#reader.endOf(unread.bytes)
    switch (end.kind) {
      case 'whole':
        return undefined
      case 'cut-off':
        return this.#truncated()
      case 'too-large':
        return this.#tooLarge(end.excess)
    }
  }

  /** Looks once more in the next turn. After the end of I/O no bell keeps the process for it: what is left does. */
  #again(): void {
    if (!this.#detached) {
      this.#host.doorbell.revisit(this)
      return
    }
    setImmediate(() => {
      if (this.onNotify()) this.#again()
    })
  }

  /** Ends the stream at once; frames that nobody has taken are dropped. */
  abandon(error: TransportError): void {
    this.#endDeadline()
    if (!this.#isConcluded) this.#endStream({ kind: 'failed', error })
    this.#dropped = true
    this.#tellIfSettled(true)
    if (this.#consumer.kind !== 'waiting') return
    const { waiter, iterating } = this.#consumer
    this.#consumer = iterating ? ITERATING : NOBODY
    waiter.reject(error)
  }

  /** The next frame, if it is there and nobody else reads. */
  take(): Buffer | undefined {
    if (this.#consumer.kind !== 'none') throw this.#busy()
    return this.#take()
  }

  /** The next frame as the receiver's own; undefined: there is none now, or none will come (see `#stream`). */
  #take(): Buffer | undefined {
    let frame: Buffer
    try {
      if (!this.#findFrame()) return undefined
      frame = this.#reader.copy()
    } catch (error) {
      this.#failForMemory(error)
      return undefined
    }
    this.#reader.done()
    this.#count(frame.length)
    this.lastFrameAt = Date.now()
    this.#release()
    // No news will come of what lies behind the last one.
    if (this.#detached) this.#look()
    return frame
  }

  /** Gives frames to the subscriber until there is none, the budget is spent, or it is not subscribed any more. */
  #drain(consumer: Consumer & { kind: 'subscribed' }): boolean {
    // Around the loop, not in it: a frame of 64 bytes would cost a fifth more.
    try {
      return this.#drainFrames(consumer)
    } catch (error) {
      this.#failForMemory(error)
      return false
    }
  }

  #drainFrames(consumer: Consumer & { kind: 'subscribed' }): boolean {
    const { handler, borrow } = consumer
    const reader = this.#reader
    const deadline = systemClock.now() + TURN_MS
    let bytes = 0
    let frames = 0
    let more = false
    while (this.#consumer === consumer && this.#findFrame()) {
      const length = reader.length
      const frame = borrow ? reader.borrow() : reader.copy()
      // Behind us before the handler runs, which may stop and read on; given back only once it has returned.
      reader.done()
      this.#count(length)
      let pending: Promise<unknown> | undefined
      // Nothing of what the handler looks at may be given back.
      reader.isLent = borrow
      try {
        const result = handler(frame)
        // By way of a promise of our own: a thenable's then() may throw. So may what this looks at.
        if (result !== undefined && isThenable(result)) pending = Promise.resolve(result)
      } catch (cause) {
        if (!this.#events.isOfTheEnd(cause)) {
          reader.isLent = false
          this.#handlerFailed(cause, consumer)
          return false
        }
      }
      reader.isLent = false
      if (this.#ring.unreleased >= this.#ring.capacity >> 2) this.#release()
      if (pending !== undefined) {
        this.#hold(consumer, pending)
        break
      }
      frames++
      bytes += length
      if (bytes >= TURN_BYTES || (frames % FRAMES_PER_CLOCK_LOOK === 0 && systemClock.now() >= deadline)) {
        more = true
        break
      }
    }
    this.#release()
    if (frames > 0) this.lastFrameAt = Date.now()
    return more
  }

  /** Whether a frame is in view. Where there is no memory for it, the stream has failed. */
  #look(): boolean {
    try {
      return this.#findFrame()
    } catch (error) {
      this.#failForMemory(error)
      return false
    }
  }

  /**
   * A frame in view, or the reason why there is none: nothing came yet (then we will be told), or the end.
   * @throws {TransportError} ERR_OUT_OF_MEMORY, as the reader does.
   */
  #findFrame(): boolean {
    if (this.#stream.kind !== 'open' || this.#dropped) return false
    for (;;) {
      const news = this.#reader.next(this.#consumer.kind === 'subscribed' && this.#consumer.borrow)
      if (news === 'frame') {
        if (this.#options.frameTimeoutMs !== undefined) this.#endDeadline()
        return true
      }
      if (news === 'too-large') {
        this.#fail(this.#tooLarge(this.#reader.excess))
        return false
      }
      if (this.#detached) {
        this.#atEnd()
        return false
      }
      this.#release()
      // The end before the tail: bytes found after it are the last ones.
      const over = this.#load(lane.IN_STATE) === inState.ENDED || this.#load(lane.LIFE) === life.CLOSED
      const enough = (this.#ring.seen + this.#reader.wants) | 0
      // Arm, then look again: the shard may have published before it could see that we want to know.
      Atomics.store(this.#words, this.#base + lane.IN_NOTIFY_AT, enough)
      Atomics.store(this.#words, this.#base + lane.IN_NOTIFY, 1)
      this.#ring.refresh()
      if (distance(this.#ring.seen, enough) < 0) {
        if (over) this.#atEnd()
        else this.#watchFrame()
        return false
      }
      Atomics.store(this.#words, this.#base + lane.IN_NOTIFY, 0)
    }
  }

  /**
   * Starts the deadline of a frame of which the first bytes are there. It runs only while somebody reads: a peer whose
   * frames are not taken may be unable to go on.
   */
  #watchFrame(): void {
    const timeoutMs = this.#options.frameTimeoutMs
    if (timeoutMs === undefined || this.#cancelDeadline !== undefined || this.#detached) return
    if (!this.#isRead() || !this.#reader.midFrame) return
    const { clock } = this.#options
    const left = this.#timeLeft ?? timeoutMs
    const onTimer = (): void => {
      // Timers come before messages: what has arrived meanwhile counts, and is looked at first.
      clock.nextTurn(() => {
        if (this.#cancelDeadline === cancel && this.onNotify()) this.#again()
        if (this.#cancelDeadline !== cancel) return
        this.#cancelDeadline = undefined
        if (this.#stream.kind === 'open' && this.#isRead() && this.#reader.midFrame) this.#failTooSlow()
      })
    }
    const cancel = clock.setTimer(onTimer, left, { keepsAlive: false })
    this.#deadlineAt = clock.now() + left
    this.#cancelDeadline = cancel
  }

  #isRead(): boolean {
    return this.#consumer.kind === 'waiting' || this.#consumer.kind === 'subscribed'
  }

  #failTooSlow(): void {
    this.#fail(
      new TransportError(
        'ERR_FRAME_TIMEOUT',
        `a frame was not complete ${String(this.#options.frameTimeoutMs)} ms after its first byte (frameTimeoutMs). The peer hangs, or does not speak this framing; connect again.`,
        { endpoint: this.#endpoint },
      ),
    )
  }

  /** Nobody reads any more; whoever reads next goes on with what is left. */
  #pauseDeadline(): void {
    if (this.#cancelDeadline === undefined) return
    this.#endDeadline()
    this.#timeLeft = Math.max(0, this.#deadlineAt - this.#options.clock.now())
  }

  #endDeadline(): void {
    this.#cancelDeadline?.()
    this.#cancelDeadline = undefined
    this.#timeLeft = undefined
  }

  #atEnd(): void {
    // A lane that closed without an end of stream says why only when it is taken down: wait for that.
    if (!this.#detached && this.#load(lane.IN_STATE) !== inState.ENDED) return
    const failure = this.#failAfterRest ?? (this.#reader.midFrame ? this.#truncated() : undefined)
    if (this.#events.awaitsConclusion(failure === undefined)) this.#endStream({ kind: 'inconclusive', failure })
    else if (failure === undefined) this.#endStream({ kind: 'ended' })
    else this.#endStream({ kind: 'failed', error: failure })
    if (failure === undefined) this.#events.onEnd()
    else if (failure !== this.#failAfterRest) this.#events.onFailure(failure)
  }

  #truncated(): TransportError {
    return new TransportError(
      'ERR_TRUNCATED',
      'the stream ended in the middle of a frame. The peer died or does not speak this framing; connect again.',
      { endpoint: this.#endpoint },
    )
  }

  #tooLarge(excess: Excess): TransportError {
    const message = describeExcess(excess, this.#options.framing)
    return new TransportError('ERR_FRAME_TOO_LARGE', message, { endpoint: this.#endpoint })
  }

  /** Anything else that was thrown is a mistake of ours, and thrown on. */
  #failForMemory(error: unknown): void {
    this.#fail(this.#noMemory(error))
  }

  #noMemory(error: unknown): TransportError {
    if (!isOutOfMemory(error)) throw error
    return new TransportError(error.code, error.message, { cause: error.cause, endpoint: this.#endpoint })
  }

  #handlerFailed(cause: unknown, consumer: Consumer): void {
    // It may have made way for somebody else, who is told of the end.
    if (this.#consumer === consumer) this.#consumer = NOBODY
    this.abandon(this.#events.onHandlerFailed(cause, this.#io === 'over'))
  }

  #fail(error: TransportError): void {
    this.#endStream({ kind: 'failed', error })
    this.#events.onFailure(error)
  }

  #endStream(stream: Exclude<Stream, { kind: 'open' }>): void {
    this.#stream = stream
    this.#reader.abandon()
    this.#events.onExhausted()
  }

  #hold(consumer: Consumer & { kind: 'subscribed' }, pending: Promise<unknown>): void {
    if (this.#consumer !== consumer) {
      // It ended its subscription in this very call: what it still does holds no frame up.
      this.tend(pending)
      pending.catch((cause: unknown) => {
        this.#events.onStrayFailure(cause)
      })
      return
    }
    const { handler, borrow } = consumer
    const held: Consumer = { kind: 'held', handler, borrow, pending }
    this.#consumer = held
    const goOn = (): void => {
      if (this.#consumer !== held) return
      this.#consumer = consumer
      this.#tellIfSettled(false)
      this.#again()
    }
    pending.then(goOn, (cause: unknown) => {
      if (this.#events.isOfTheEnd(cause)) goOn()
      else if (this.#consumer === held) this.#handlerFailed(cause, held)
      else this.#events.onStrayFailure(cause)
    })
  }

  /** `isDry`: no whole frame is there. */
  #tellIfSettled(isDry: boolean): void {
    if (this.#settlings !== NO_SETTLINGS) this.#tellSettled((upTo) => this.#isSettled(upTo, isDry))
  }

  #tellSettled(isSettled: (upTo: number) => boolean): void {
    const rest = this.#settlings.filter(({ upTo, resolve }) => {
      const done = isSettled(upTo)
      if (done) resolve()
      return !done
    })
    this.#settlings = rest.length === 0 ? NO_SETTLINGS : rest
  }

  #isSettled(upTo: number, isDry: boolean): boolean {
    switch (this.#consumer.kind) {
      case 'held':
        return false
      case 'none':
      case 'iterating':
        return this.#tending === 0 || this.#events.awaitsEnd()
      case 'waiting':
        return this.#tending === 0 || isDry || this.#isPast(upTo)
      case 'subscribed':
        return isDry || this.#isPast(upTo)
    }
  }

  #isPast(upTo: number): boolean {
    return this.#dropped || this.#stream.kind !== 'open' || distance(this.#ring.head, upTo) >= 0
  }

  #count(length: number): void {
    this.framesReceived++
    this.bytesReceived += length
    if (this.#watch.state !== 'idle') this.#host.doorbell.replied(this.#watch)
  }

  /** Gives consumed bytes back; tells the shard if it waits for them; returns a region that was read to its end. */
  #release(): void {
    const ring = this.#ring
    if (this.#reader.isLent) return
    if (ring.unreleased !== 0) ring.release()
    if (this.#detached) return
    if (ring.regionId !== this.#region) this.#retireRegion()
    if (
      this.#load(lane.IN_SPACE) !== 0 &&
      distance(ring.head, this.#load(lane.IN_SPACE_AT)) >= 0 &&
      takeArmed(this.#words, this.#base + lane.IN_SPACE)
    ) {
      // The shard had stopped for want of room, so there is a ring full to go on with.
      this.#host.notify(this.#lane.id, true)
    }
  }

  #retireRegion(): void {
    if (this.#ring.regionId === this.#region) return
    this.#host.giveRegion(this.#region)
    this.#region = this.#ring.regionId
  }

  /**
   * The shard asks for a larger ring. What is not granted stays armed, to be looked at again when larger frames come.
   */
  #grantGrowth(): void {
    if (this.#load(lane.IN_GROW) === 0) return
    // At most one region is behind us and not given back yet: it must be gone before another change can follow.
    this.#retireRegion()
    const current = this.#load(lane.IN_REGION)
    if (this.#load(lane.IN_GRANT) !== current || this.#load(lane.IN_REGION_ACK) !== current) return
    const wanted = grownRingBytes(this.#ring.capacity, this.#reader.length, this.#options.maxRingBytes)
    if (wanted === this.#ring.capacity || this.#growthAsked) return
    const region = this.#host.takeRegion(wanted, () => {
      this.#growthAsked = false
      if (!this.#detached) this.#grantGrowth()
    })
    if (region === undefined) {
      this.#growthAsked = true
      return
    }
    Atomics.store(this.#words, this.#base + lane.IN_GRANT, region)
    Atomics.store(this.#words, this.#base + lane.IN_GROW, 0)
  }

  /** Undefined: there was no memory for it. It goes with the lane, and whoever reads on is told so. */
  #keepUnread(): DetachedRing | undefined {
    try {
      return detachRing(this.#ring)
    } catch (error) {
      this.abandon(this.#noMemory(error))
      return undefined
    }
  }

  #finish(waiter: Waiter<Buffer | undefined>): void {
    if (this.#stream.kind === 'failed') waiter.reject(this.#stream.error)
    else waiter.resolve(undefined)
  }

  #busy(): TransportError {
    return new TransportError(
      'ERR_CONSUMER_BUSY',
      'someone else is reading this connection. One consumer at a time: end the other loop, receive() or subscription first.',
      { endpoint: this.#endpoint },
    )
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#base + word)
  }
}
