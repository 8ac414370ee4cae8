import type { TransportError } from '../protocol/errors.js'

/** The life of a pool. `error`: what `acquire()` rejects with from then on. */
export type PoolState =
  | { readonly kind: 'open' }
  /** No more leases are granted; those that are out are waited for, until `cancelCut` is too late. */
  | { readonly kind: 'closing'; readonly error: TransportError; readonly cancelCut: () => void }
  | { readonly kind: 'closed'; readonly error: TransportError }

export type PoolEvent =
  | { readonly kind: 'close'; readonly error: TransportError; readonly cancelCut: () => void }
  /** The last connection is gone, and none is being made. */
  | { readonly kind: 'emptied' }

export const OPEN: PoolState = { kind: 'open' }

/** The state that follows; the same one if the event means nothing in it. */
export function transition(state: PoolState, event: PoolEvent): PoolState {
  switch (event.kind) {
    case 'close':
      return state.kind === 'open' ? { kind: 'closing', error: event.error, cancelCut: event.cancelCut } : state
    case 'emptied':
      return state.kind === 'closing' ? { kind: 'closed', error: state.error } : state
  }
}
