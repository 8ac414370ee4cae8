/** How a connection comes to its end. */
import type { TransportError } from '../protocol/errors.js'

export type ConnectionState =
  | { readonly kind: 'open' }
  /** `close()` was called: everything sent leaves, the peer's end is awaited, both until a deadline. */
  | { readonly kind: 'closing'; readonly cancel: () => void }
  /** The process behind it has ended, and its last words are awaited. */
  | { readonly kind: 'draining'; readonly cancel: () => void; readonly isCloseAsked: boolean }
  /** The last words have come, and another process holds the pipe: the shard was told to close. Nothing is dropped. */
  | { readonly kind: 'cutting' }
  /** The shard was told to close at once. */
  | { readonly kind: 'destroying'; readonly error: TransportError }
  /** I/O is over. */
  | { readonly kind: 'closed' }

/** `cancel` ends what the new state waits for; it is called when that state is left. */
export type ConnectionStep =
  | { readonly kind: 'close'; readonly cancel: () => void }
  | { readonly kind: 'drain'; readonly cancel: () => void }
  | { readonly kind: 'cut' }
  | { readonly kind: 'destroy'; readonly error: TransportError }
  | { readonly kind: 'finish' }

export const OPEN: ConnectionState = { kind: 'open' }

/** The state after this step; undefined: the connection is past it. */
export function transition(state: ConnectionState, step: ConnectionStep): ConnectionState | undefined {
  if (state.kind === 'closed') return undefined
  switch (step.kind) {
    case 'close':
      if (state.kind === 'draining') return { ...state, isCloseAsked: true }
      return state.kind === 'open' ? { kind: 'closing', cancel: step.cancel } : undefined
    case 'drain':
      if (state.kind !== 'open' && state.kind !== 'closing') return undefined
      return { kind: 'draining', cancel: step.cancel, isCloseAsked: state.kind === 'closing' }
    case 'cut':
      return state.kind === 'draining' ? { kind: 'cutting' } : undefined
    case 'destroy':
      return state.kind === 'destroying' ? undefined : { kind: 'destroying', error: step.error }
    case 'finish':
      return { kind: 'closed' }
  }
}

/** Ends what a state waited for that is left, unless the next one waits for the same. */
export function leave(state: ConnectionState, next: ConnectionState): void {
  if ('cancel' in state && !('cancel' in next && next.cancel === state.cancel)) state.cancel()
}
