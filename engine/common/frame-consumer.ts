/** Who takes the frames of a stream: one `receive()`, one `for await` loop or one subscriber at a time. */
import type { Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import { abortedBefore, Waiter, type WaitOptions } from '../protocol/waiter.js'
import type { BatchHandler, FrameHandler } from './connection.js'

export interface FrameSubscription {
  readonly kind: 'subscribed'
  readonly takes: 'copies' | 'views'
  readonly handler: FrameHandler
}

export interface BatchSubscription {
  readonly kind: 'subscribed'
  readonly takes: 'batches'
  readonly handler: BatchHandler
}

export type Subscription = FrameSubscription | BatchSubscription

export type ConsumerState =
  | { readonly kind: 'none' }
  /** A `for await` loop is at work on a frame, and waits for none. */
  | { readonly kind: 'iterating' }
  | { readonly kind: 'waiting'; readonly waiter: Waiter<Buffer | undefined>; readonly iterating: boolean }
  | Subscription
  /** The promise that the subscriber returned is pending. */
  | { readonly kind: 'held'; readonly subscription: Subscription; readonly pending: Promise<unknown> }

/** The state that a consumer asks for, or what has happened to the one that is there. */
export type ConsumerStep =
  | Exclude<ConsumerState, { readonly kind: 'none' }>
  /** The wait is over. */
  | { readonly kind: 'served' }
  /** The subscriber's promise has settled. */
  | { readonly kind: 'resumed' }
  /** The loop or the subscription has ended. */
  | { readonly kind: 'left' }

/** How a stream ended, once its last frame was taken. */
export type StreamOutcome = { readonly kind: 'ended' } | { readonly kind: 'failed'; readonly error: Error }

/** Where the frames come from: one connection, or one after another. */
export interface FrameSource {
  /** The next frame, in memory that the consumer may keep, if one is there. */
  next(): Buffer | undefined
  /** Undefined: more frames may come. */
  readonly outcome: StreamOutcome | undefined
  /** The consumer wants frames from now on: one if it waits, each if it has subscribed. */
  onReading(): void
  /** The consumer wants no more frames. */
  onStopped(): void
  /** The handler is at work until this settles, and its subscription has ended. */
  tend(handler: Promise<unknown>): void
  /** A subscriber failed, and gets no more frames. */
  onHandlerFailed(cause: unknown): void
}

export interface ConsumerEvents {
  /** Whether a subscriber failed only because the stream is ending. */
  isOfTheEnd(cause: unknown): boolean
  /** A subscriber failed that had ended its subscription before. */
  onStrayFailure(cause: unknown): void
}

const NONE: ConsumerState = { kind: 'none' }
const ITERATING = { kind: 'iterating' } as const
const SERVED = { kind: 'served' } as const
const RESUMED = { kind: 'resumed' } as const
const LEFT = { kind: 'left' } as const

/** The state after this step; undefined: the step is not for this state. */
export function transition(state: ConsumerState, step: ConsumerStep): ConsumerState | undefined {
  switch (step.kind) {
    case 'iterating':
    case 'subscribed':
      return state.kind === 'none' ? step : undefined
    case 'waiting':
      return state.kind === (step.iterating ? 'iterating' : 'none') ? step : undefined
    case 'held':
      return state === step.subscription ? step : undefined
    case 'served':
      if (state.kind !== 'waiting') return undefined
      return state.iterating ? ITERATING : NONE
    case 'resumed':
      return state.kind === 'held' ? state.subscription : undefined
    case 'left':
      return state.kind === 'none' || state.kind === 'waiting' ? undefined : NONE
  }
}

export class FrameConsumer {
  /** Changed by this class alone. A field, because it is read for each frame. */
  state: ConsumerState = NONE
  readonly #endpoint: string
  readonly #clock: Clock
  readonly #source: FrameSource
  readonly #events: ConsumerEvents
  /** Work on frames that holds no frame back; undefined: there was none yet. */
  #works: Set<Promise<unknown>> | undefined

  constructor(endpoint: string, clock: Clock, source: FrameSource, events: ConsumerEvents) {
    this.#endpoint = endpoint
    this.#clock = clock
    this.#source = source
    this.#events = events
  }

  /** Whether it would be given a frame that comes now. */
  get isReading(): boolean {
    return this.state.kind === 'waiting' || this.state.kind === 'subscribed'
  }

  receive(options: WaitOptions, iterating = false): Promise<Buffer | undefined> {
    if (this.state.kind !== (iterating ? 'iterating' : 'none')) return Promise.reject(this.#busy())
    const aborted = abortedBefore('receiving', this.#endpoint, options)
    if (aborted !== undefined) return Promise.reject(aborted)
    const frame = this.#source.next()
    if (frame !== undefined) return Promise.resolve(frame)
    const { outcome } = this.#source
    if (outcome !== undefined)
      return outcome.kind === 'ended' ? Promise.resolve(undefined) : Promise.reject(outcome.error)
    const waiter = new Waiter<Buffer | undefined>('receiving', this.#endpoint, options, this.#clock, () => {
      this.#step(SERVED)
      this.#source.onStopped()
    })
    if (!this.#step({ kind: 'waiting', waiter, iterating })) waiter.reject(this.#busy())
    else this.#source.onReading()
    return waiter.promise
  }

  /** Starts a `for await`. Leaving it does not close the connection; another consumer may follow. */
  async *iterate(): AsyncGenerator<Buffer, void, undefined> {
    if (!this.#step(ITERATING)) throw this.#busy()
    try {
      for (;;) {
        const frame = await this.receive({}, true)
        if (frame === undefined) return
        yield frame
      }
    } finally {
      if (this.state === ITERATING) this.#step(LEFT)
    }
  }

  subscribe(handler: FrameHandler, borrow: boolean): () => void {
    return this.#subscribe({ kind: 'subscribed', takes: borrow ? 'views' : 'copies', handler })
  }

  subscribeBatch(handler: BatchHandler): () => void {
    return this.#subscribe({ kind: 'subscribed', takes: 'batches', handler })
  }

  #subscribe(subscription: Subscription): () => void {
    if (!this.#step(subscription)) throw this.#busy()
    this.#source.onReading()
    return () => {
      const { state } = this
      if (state !== subscription && !(state.kind === 'held' && state.subscription === subscription)) return
      this.#step(LEFT)
      if (state.kind === 'held') this.#source.tend(state.pending)
      this.#source.onStopped()
    }
  }

  /** The next frame, if one is there: a `receive()` that does not wait. @throws {TransportError} ERR_CONSUMER_BUSY */
  take(): Buffer | undefined {
    if (this.state.kind !== 'none') throw this.#busy()
    return this.#source.next()
  }

  /** A frame for the `receive()` that waits. */
  serve(frame: Buffer): void {
    this.#stopWaiting()?.resolve(frame)
  }

  /** Tells the `receive()` that waits, if one does, how the stream ended. */
  finish(outcome: StreamOutcome): void {
    const waiter = this.#stopWaiting()
    if (outcome.kind === 'failed') waiter?.reject(outcome.error)
    else waiter?.resolve(undefined)
  }

  /** The subscriber returned a promise, and gets the next frame once it settles. Resolves then too; never rejects. */
  hold(subscription: Subscription, pending: Promise<unknown>): Promise<void> {
    const held: ConsumerState = { kind: 'held', subscription, pending }
    // It may have ended its subscription in this very call: then its promise holds no frame back.
    if (!this.#step(held)) this.#source.tend(pending)
    const goOn = (): void => {
      if (this.state === held && this.#step(RESUMED)) this.#source.onReading()
    }
    return pending.then(goOn, (cause: unknown) => {
      if (this.#events.isOfTheEnd(cause)) goOn()
      else if (this.state === held) this.fail(cause, held)
      else this.#events.onStrayFailure(cause)
    })
  }

  /** The subscriber of this state failed. Another consumer that has come since stays, and gets the end. */
  fail(cause: unknown, state: Exclude<ConsumerState, { kind: 'waiting' }>): void {
    this.leave(state)
    this.#source.onHandlerFailed(cause)
  }

  /** Ends the subscription of this state, unless it has ended already. */
  leave(state: ConsumerState): void {
    if (this.state === state) this.#step(LEFT)
  }

  /** A function that was handed a frame works on it until this settles, and holds no other frame back. */
  atWork(pending: Promise<unknown>): void {
    const works = (this.#works ??= new Set())
    works.add(pending)
    const done = (): void => void works.delete(pending)
    pending.then(done, done)
  }

  /** Resolves once work known by now has settled; undefined: it has. A peer could hold an end up with later work. */
  worked(): Promise<void> | undefined {
    const works = this.#works
    if (works === undefined || works.size === 0) return undefined
    return Promise.allSettled(works).then(() => undefined)
  }

  #step(step: ConsumerStep): boolean {
    const next = transition(this.state, step)
    if (next === undefined) return false
    this.state = next
    return true
  }

  #stopWaiting(): Waiter<Buffer | undefined> | undefined {
    const { state } = this
    if (state.kind !== 'waiting') return undefined
    this.#step(SERVED)
    return state.waiter
  }

  #busy(): TransportError {
    return new TransportError(
      'ERR_CONSUMER_BUSY',
      'someone else is reading this connection. One consumer at a time: end the other loop, receive() or subscription first.',
      { endpoint: this.#endpoint },
    )
  }
}
