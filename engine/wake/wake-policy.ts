/** The wake strategies that an engine can have. */
import { availableParallelism } from 'node:os'
import { FasterWay } from './faster-way.js'
import type { WakeStrategy } from './wake-strategy.js'

/** `spinMicros`: main stays awake that long after each flush. */
export type WakePolicy = 'adaptive' | 'park' | { readonly spinMicros: number }

const nothing = (): void => undefined

/** With one CPU main always sleeps: awake it would take the time of the thread that is to answer. */
export function wakeStrategyOf(policy: WakePolicy): WakeStrategy {
  if (policy === 'park' || availableParallelism() === 1) return fixed(undefined)
  return policy === 'adaptive' ? new FasterWay() : fixed(policy.spinMicros / 1_000)
}

function fixed(ms: number | undefined): WakeStrategy {
  const wants = ms !== undefined
  return { wants: () => wants, onSend: () => ms ?? 0, onReply: nothing, onMiss: nothing, endsWithReply: false }
}
