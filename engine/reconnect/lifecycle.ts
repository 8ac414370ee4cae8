/** The life of a reconnecting connection: `transition()` says which state follows an event, and does nothing else. */
import type { ReconnectingState } from './reconnecting-connection.js'

/** What the user wants of it; it only ever moves down this list. `by`: when the time to connect again is over. */
export type Intent =
  | { readonly kind: 'stay' }
  /** The time starts anew with each loss; undefined: it is connected. */
  | { readonly kind: 'end'; readonly by: number | undefined }
  | { readonly kind: 'close'; readonly by: number }

export type Lifecycle<Current> =
  /** Made in this turn. */
  | { readonly kind: 'fresh'; readonly intent: Intent }
  /** `queueing`: for the breaker's permit. */
  | { readonly kind: 'queueing' | 'pausing' | 'connecting'; readonly intent: Intent; readonly cancel: () => void }
  /** `outgoing`: `ending` once all frames were given to the connection, `ended` once they have left. */
  | {
      readonly kind: 'connected'
      readonly intent: Intent
      readonly current: Current
      readonly outgoing: 'open' | 'ending' | 'ended'
    }
  /** Observers are called before the next step, and may change the intent. */
  | { readonly kind: 'lost'; readonly intent: Intent }
  /** Its connection was told to end at once. */
  | { readonly kind: 'destroying'; readonly current: Current; readonly error: Error }
  | { readonly kind: 'closed' }

export type LifecycleEvent<Current> =
  | { readonly kind: 'step'; readonly to: 'queueing' | 'pausing' | 'connecting'; readonly cancel: () => void }
  | { readonly kind: 'connected'; readonly current: Current }
  /** The connection was given every frame, the user's last one included. */
  | { readonly kind: 'drained' }
  | { readonly kind: 'left' }
  /** `by`: when the time to connect again will be over, if there is such a time. */
  | { readonly kind: 'lost'; readonly by: number }
  | { readonly kind: 'end' | 'close'; readonly by: number }
  | { readonly kind: 'destroyed'; readonly error: Error }
  | { readonly kind: 'finished' }

/** The state that follows; the same one if the event means nothing in it. */
export function transition<Current>(state: Lifecycle<Current>, event: LifecycleEvent<Current>): Lifecycle<Current> {
  if (state.kind === 'closed') return state
  if (event.kind === 'finished') return { kind: 'closed' }
  if (state.kind === 'destroying') return state
  const { intent } = state
  switch (event.kind) {
    case 'step':
      return state.kind === 'connected' ? state : { kind: event.to, intent, cancel: event.cancel }
    case 'connected':
      if (state.kind !== 'connecting') return state
      return { kind: 'connected', intent: withTime(intent, undefined), current: event.current, outgoing: 'open' }
    case 'drained':
      if (state.kind !== 'connected' || intent.kind === 'stay' || state.outgoing !== 'open') return state
      return { ...state, outgoing: 'ending' }
    case 'left':
      return state.kind === 'connected' && state.outgoing === 'ending' ? { ...state, outgoing: 'ended' } : state
    case 'lost':
      return state.kind === 'connected' ? { kind: 'lost', intent: withTime(intent, event.by) } : state
    case 'end':
      if (intent.kind !== 'stay') return state
      return { ...state, intent: { kind: 'end', by: state.kind === 'connected' ? undefined : event.by } }
    case 'close':
      if (intent.kind === 'close') return state
      return { ...state, intent: { kind: 'close', by: (intent.kind === 'end' ? intent.by : undefined) ?? event.by } }
    case 'destroyed':
      return state.kind === 'connected' ? { kind: 'destroying', current: state.current, error: event.error } : state
  }
}

function withTime(intent: Intent, by: number | undefined): Intent {
  return intent.kind === 'end' ? { kind: 'end', by } : intent
}

/** Nothing more is to be sent than what was taken by now. */
export function isWound(state: Lifecycle<unknown>): boolean {
  return !('intent' in state) || state.intent.kind !== 'stay'
}

/** When what is left to be sent has had its time; undefined: never, or the connection has a limit of its own. */
export function deadlineOf(state: Lifecycle<unknown>): number | undefined {
  if (!('intent' in state) || state.intent.kind === 'stay' || state.kind === 'lost') return undefined
  return state.kind === 'connected' && state.outgoing !== 'open' ? undefined : state.intent.by
}

/** What the user sees of it. */
export function publicState(state: Lifecycle<unknown>): ReconnectingState {
  if (state.kind === 'closed') return 'closed'
  if (state.kind === 'destroying' || state.intent.kind === 'close') return 'closing'
  switch (state.kind) {
    case 'fresh':
    case 'connecting':
      return 'connecting'
    case 'queueing':
    case 'pausing':
    case 'lost':
      return 'waiting'
    case 'connected':
      return 'connected'
  }
}
