/** How a stream of outgoing frames comes to its end. */
import type { TransportError } from '../protocol/errors.js'
import { intent } from '../protocol/ring-layout.js'

/** What the shard does behind the last frame: it ends this direction, or both where there is no half-close. */
type EndIntent = typeof intent.END | typeof intent.CLOSE

export type OutgoingState =
  | { readonly kind: 'open' }
  /** No more frames are taken; those taken before still leave, then the stream ends. */
  | { readonly kind: 'ending'; readonly intent: EndIntent }
  /** The shard has sent everything and the end of the stream. */
  | { readonly kind: 'ended'; readonly intent: EndIntent }
  /** I/O is over. `error`: what ended it, if it was no clean end. */
  | { readonly kind: 'closed'; readonly error: TransportError | undefined }

export type OutgoingStep =
  | { readonly kind: 'end' }
  /** The whole connection is to end. */
  | { readonly kind: 'end all' }
  | { readonly kind: 'flushed' }
  | { readonly kind: 'close'; readonly error: TransportError | undefined }

export const OPEN: OutgoingState = { kind: 'open' }

export function transition(state: OutgoingState, step: OutgoingStep): OutgoingState {
  if (state.kind === 'closed') return state
  switch (step.kind) {
    case 'end':
      return state.kind === 'open' ? { kind: 'ending', intent: intent.END } : state
    case 'end all':
      return { kind: state.kind === 'ended' ? 'ended' : 'ending', intent: intent.CLOSE }
    case 'flushed':
      return state.kind === 'ending' ? { kind: 'ended', intent: state.intent } : state
    case 'close':
      return { kind: 'closed', error: step.error }
  }
}
