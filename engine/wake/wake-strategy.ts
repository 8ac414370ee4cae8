/** How main waits for a reply: asleep, or awake for a while. */
import { availableParallelism } from 'node:os'
import type { PendingReply } from '../connection/lane-host.js'
import { SpinTuner } from './spin-tuner.js'

/** `spinMicros`: main stays awake that long after each flush. */
export type WakePolicy = 'adaptive' | 'park' | { readonly spinMicros: number }

export interface WakeStrategy {
  /** A flush has gone out: whether its reply is waited for, and reported. */
  awaits(reply: PendingReply): boolean
  /** How long main stays awake for a reply from now on, in milliseconds; undefined: it sleeps. */
  readonly awakeMs: number | undefined
  /** Whether main may sleep once the reply is there. */
  readonly endsWithReply: boolean
  /** A reply that was waited for has come `ms` after its flush. */
  onReply(wasAwake: boolean, ms: number): void
  /** Whether shards stay awake for main's next flush. */
  readonly shardsStayAwake: boolean
}

/** With one CPU main always parks: awake it would take the time of the thread that is to answer. */
export function wakeStrategyOf(policy: WakePolicy): WakeStrategy {
  if (policy === 'park' || availableParallelism() === 1) return fixed(undefined)
  return policy === 'adaptive' ? new SpinTuner() : fixed(policy.spinMicros / 1000)
}

function fixed(awakeMs: number | undefined): WakeStrategy {
  return {
    awaits: () => awakeMs !== undefined,
    awakeMs,
    endsWithReply: false,
    onReply: () => undefined,
    shardsStayAwake: false,
  }
}
