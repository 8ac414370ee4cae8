/** What a connection is made with, out of the options of its transport and its engine. */
import type { LinkOptions } from '../engine/link/options.js'
import type { SalvageSettings } from '../engine/link/salvage.js'
import type { HandlerFailures } from '../engine/shared/handler-failures.js'
import type { Clock } from '../engine/shared/waiter.js'
import type { ResolvedTransportOptions } from './options.js'

/** What all connections of an engine have in common. */
export interface LinkGround {
  readonly maxRingBytes: number
  readonly clock: Clock
  readonly failures: HandlerFailures
  readonly onOutlived: (done: Promise<void>) => void
}

export function linkOptions(
  options: ResolvedTransportOptions,
  ground: LinkGround,
  salvage: SalvageSettings | undefined,
): LinkOptions {
  return {
    framing: {
      kind: options.framing,
      maxFrameBytes: options.maxFrameBytes,
      maxHeaderBytes: options.maxHeaderBytes,
      lastLine: options.lastLine,
      frameTimeoutMs: options.frameTimeoutMs,
    },
    maxFrameBytes: options.maxFrameBytes,
    maxPendingBytes: options.maxPendingBytes,
    frameTimeoutMs: options.frameTimeoutMs,
    closeTimeoutMs: options.closeTimeoutMs,
    allowHalfOpen: options.allowHalfOpen,
    salvage,
    ...ground,
  }
}
