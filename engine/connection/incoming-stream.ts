/** How a stream of incoming frames comes to its end. */
import type { StreamOutcome } from '../common/frame-consumer.js'
import type { TransportError } from '../protocol/errors.js'

export type StreamState =
  /** The shard may bring more. */
  | { readonly kind: 'open' }
  /** I/O is over, and what is unread can still be read; `failure` ends the stream behind it. */
  | { readonly kind: 'rest'; readonly failure: TransportError | undefined }
  /** Every frame was taken; the end of a process will say how it ended. `failure`: what the stream shows of that. */
  | { readonly kind: 'inconclusive'; readonly failure: TransportError | undefined }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: TransportError }

export type StreamStep =
  /** I/O is over. */
  | { readonly kind: 'detached'; readonly failure: TransportError | undefined }
  /** Every frame was taken. */
  | { readonly kind: 'exhausted'; readonly failure: TransportError | undefined; readonly isConclusive: boolean }
  | { readonly kind: 'failed'; readonly error: TransportError }
  /** It is known how the process behind it has ended. */
  | { readonly kind: 'concluded'; readonly failure: TransportError | undefined }

export interface StreamEvents {
  /** The peer's end of stream was reached and every frame before it was taken. */
  onEnd(): void
  /** Whether `conclude()` will say how the stream has ended, whose end is reached now. */
  awaitsConclusion(isClean: boolean): boolean
  /** No frame will come any more: every frame of the stream was taken or dropped. */
  onExhausted(): void
  /** The peer broke the protocol, or there was no memory for a frame: the connection must go. */
  onFailure(error: TransportError): void
}

const OPEN: StreamState = { kind: 'open' }

/** A stream that has ended or failed stays as it is. */
export function transition(state: StreamState, step: StreamStep): StreamState {
  if (state.kind === 'ended' || state.kind === 'failed') return state
  switch (step.kind) {
    case 'detached':
      return state.kind === 'open' ? { kind: 'rest', failure: step.failure } : state
    case 'exhausted':
      if (state.kind === 'inconclusive') return state
      return step.isConclusive ? endedBy(step.failure) : { kind: 'inconclusive', failure: step.failure }
    case 'failed':
      return step
    case 'concluded':
      return state.kind === 'inconclusive' ? endedBy(step.failure) : { kind: 'rest', failure: step.failure }
  }
}

function endedBy(failure: TransportError | undefined): StreamState {
  return failure === undefined ? { kind: 'ended' } : { kind: 'failed', error: failure }
}

export class IncomingStream {
  /** Changed by this class alone. A field, because it is read for each frame. */
  state: StreamState = OPEN
  readonly #events: StreamEvents

  constructor(events: StreamEvents) {
    this.#events = events
  }

  get outcome(): StreamOutcome | undefined {
    return this.state.kind === 'ended' || this.state.kind === 'failed' ? this.state : undefined
  }

  /** Whether the shard may bring more. */
  get isOpen(): boolean {
    return this.state.kind === 'open'
  }

  /** Whether frames can still be taken. */
  get isReadable(): boolean {
    return this.state.kind === 'open' || this.state.kind === 'rest'
  }

  get isInconclusive(): boolean {
    return this.state.kind === 'inconclusive'
  }

  /** What it failed with. */
  get failure(): TransportError | undefined {
    return this.state.kind === 'failed' ? this.state.error : undefined
  }

  /** What it has failed with, or will fail with, as far as it shows by now. */
  get foreseenFailure(): TransportError | undefined {
    return this.state.kind === 'rest' || this.state.kind === 'inconclusive' ? this.state.failure : this.failure
  }

  /** I/O is over; `failure` comes behind what is unread. */
  detach(failure: TransportError | undefined): void {
    this.#step({ kind: 'detached', failure })
  }

  /** Every frame was taken. `fault`: what is wrong behind the last one. */
  exhaust(fault: TransportError | undefined): void {
    const known = this.state.kind === 'rest' ? this.state.failure : undefined
    const failure = known ?? fault
    this.#step({ kind: 'exhausted', failure, isConclusive: !this.#events.awaitsConclusion(failure === undefined) })
    this.#events.onExhausted()
    if (failure === undefined) this.#events.onEnd()
    else if (known === undefined) this.#events.onFailure(failure)
  }

  /** Nothing behind this can be read, and the connection must go. */
  fail(error: TransportError): void {
    this.drop(error)
    this.#events.onFailure(error)
  }

  /** The connection is ending with this error, and drops what was not taken. */
  drop(error: TransportError): void {
    if (this.outcome !== undefined) return
    this.#step({ kind: 'failed', error })
    this.#events.onExhausted()
  }

  /** It is known how the process behind it has ended, and so the stream, unless that ended by itself before. */
  conclude(failure: TransportError | undefined): void {
    this.#step({ kind: 'concluded', failure })
  }

  #step(step: StreamStep): void {
    this.state = transition(this.state, step)
  }
}
