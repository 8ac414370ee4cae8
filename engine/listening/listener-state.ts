/** The life of a listener. What ends it first says how it ended. */
import type { ListenerClosed } from './listener.js'

export type ListenerState =
  | { readonly kind: 'open' }
  /** It takes no connection any more, and leaves its shards. */
  | { readonly kind: 'closing'; readonly info: ListenerClosed }
  | { readonly kind: 'closed'; readonly info: ListenerClosed }

export type ListenerStep =
  | { readonly kind: 'end'; readonly info: ListenerClosed }
  /** Nothing of it is left: no socket, no file, no shard that listens. */
  | { readonly kind: 'released' }

export function nextState(state: ListenerState, step: ListenerStep): ListenerState {
  switch (step.kind) {
    case 'end':
      return state.kind === 'open' ? { kind: 'closing', info: step.info } : state
    case 'released':
      return state.kind === 'closing' ? { kind: 'closed', info: state.info } : state
  }
}
