/** The wake strategies that an engine can have. */
import { availableParallelism } from 'node:os'
import type { WakeStrategy } from './doorbell.js'
import { SpinTuner } from './spin-tuner.js'

/** `spinMicros`: main stays awake that long after each flush. */
export type WakePolicy = 'adaptive' | 'park' | { readonly spinMicros: number }

/** With one CPU main always parks: awake it would take the time of the thread that is to answer. */
export function wakeStrategyOf(policy: WakePolicy): WakeStrategy {
  if (policy === 'park' || availableParallelism() === 1) return fixed(undefined)
  return policy === 'adaptive' ? new SpinTuner() : fixed(policy.spinMicros / 1000)
}

function fixed(awakeMs: number | undefined): WakeStrategy {
  const awaits = (): boolean => awakeMs !== undefined
  return { awaits, awakeMs, endsWithReply: false, onReply: () => undefined, shardsStayAwake: false }
}
